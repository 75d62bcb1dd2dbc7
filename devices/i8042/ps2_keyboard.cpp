// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "devices/i8042/ps2_keyboard.hpp"

#include "devices/base/bits.hpp"
#include "devices/i8042/scan_codes.hpp"

#include <array>

namespace ringone::devices {

namespace {

enum Command : std::uint8_t {
    kSetLeds = 0xED,
    kEcho = 0xEE,
    kScanCodeSet = 0xF0,
    kIdentify = 0xF2,
    kSetTypematic = 0xF3,
    kEnable = 0xF4,
    kDefaultsDisable = 0xF5,
    kSetDefaults = 0xF6,
    kResend = 0xFE,
    kReset = 0xFF,
};

constexpr std::uint8_t kAcknowledge = 0xFA;
constexpr std::uint8_t kResendRequest = 0xFE;
constexpr std::uint8_t kSelfTestPassed = 0xAA;
constexpr std::uint8_t kIdentityFirst = 0xAB;
constexpr std::uint8_t kIdentitySecond = 0x83;
constexpr std::uint8_t kLedMask = 0x07;
constexpr std::uint8_t kExtended = 0xE0;
constexpr std::uint8_t kBreakPrefix = 0xF0;
constexpr std::uint8_t kSet1Break = 0x80;
constexpr std::uint8_t kLargestMakeCode = 0x7F;
constexpr std::size_t kLongestKeySequence = 3;
/// Kept free for the answers to commands while keys pile up.
constexpr std::size_t kReplyRoom = 8;

constexpr std::array<std::uint8_t, 6> kPauseSet1{0xE1, 0x1D, 0x45, 0xE1, 0x9D, 0xC5};
constexpr std::array<std::uint8_t, 8> kPauseSet2{0xE1, 0x14, 0x77, 0xE1, 0xF0, 0x14, 0xF0, 0x77};

} // namespace

void Ps2Keyboard::reply(std::uint8_t byte) {
    static_cast<void>(queue_.push(byte)); // a guest that never reads its answers loses them
}

std::optional<std::uint8_t> Ps2Keyboard::take() {
    if (queue_.empty()) {
        return std::nullopt;
    }
    last_sent_ = queue_.pop();
    return last_sent_;
}

void Ps2Keyboard::set_defaults() {
    scan_code_set_ = 2;
    leds_ = 0;
}

void Ps2Keyboard::write(std::uint8_t byte) {
    if (awaits_argument_ && byte < kSetLeds) {
        const std::uint8_t of = *awaits_argument_;
        awaits_argument_.reset();
        argument(of, byte);
    } else {
        awaits_argument_.reset(); // a command in place of an argument takes over
        command(byte);
    }
}

void Ps2Keyboard::command(std::uint8_t byte) {
    switch (byte) {
    case kSetLeds:
    case kScanCodeSet:
    case kSetTypematic:
        awaits_argument_ = byte;
        reply(kAcknowledge);
        break;
    case kEcho:
        reply(kEcho);
        break;
    case kIdentify:
        reply(kAcknowledge);
        reply(kIdentityFirst);
        reply(kIdentitySecond);
        break;
    case kEnable:
        queue_.clear();
        scanning_ = true;
        reply(kAcknowledge);
        break;
    case kDefaultsDisable:
    case kSetDefaults:
        queue_.clear();
        set_defaults();
        scanning_ = byte == kSetDefaults;
        reply(kAcknowledge);
        break;
    case kResend:
        reply(last_sent_);
        break;
    case kReset:
        queue_.clear();
        set_defaults();
        scanning_ = true;
        reply(kAcknowledge);
        reply(kSelfTestPassed);
        break;
    default:
        reply(kResendRequest);
        break;
    }
}

void Ps2Keyboard::argument(std::uint8_t of, std::uint8_t byte) {
    if (of == kScanCodeSet) {
        if (byte == 0) {
            reply(kAcknowledge);
            reply(scan_code_set_);
            return;
        }
        if (byte != 1 && byte != 2) {
            reply(kResendRequest);
            return;
        }
        scan_code_set_ = byte;
    } else if (of == kSetLeds) {
        leds_ = byte & kLedMask;
    }
    reply(kAcknowledge);
}

bool Ps2Keyboard::send(std::span<const std::uint8_t> sequence) {
    if (queue_.room() < sequence.size() + kReplyRoom) {
        return false; // a whole key or nothing: half of one would be another key
    }
    for (const std::uint8_t byte : sequence) {
        reply(byte);
    }
    return true;
}

bool Ps2Keyboard::key(KeyCode code, bool pressed) {
    if (!scanning_ || code.set1 == 0 || code.set1 > kLargestMakeCode) {
        return false;
    }
    if (code == kPauseKey) {
        if (!pressed) {
            return true;
        }
        return scan_code_set_ == 1 ? send(kPauseSet1) : send(kPauseSet2);
    }
    const std::uint8_t set2 = set2_from_set1(code.set1);
    if (set2 == 0) {
        return false;
    }
    std::array<std::uint8_t, kLongestKeySequence> sequence{};
    std::size_t length = 0;
    if (code.extended) {
        sequence[length++] = kExtended;
    }
    if (scan_code_set_ == 1) {
        sequence[length++] = low_byte(code.set1 | (pressed ? 0U : kSet1Break));
    } else {
        if (!pressed) {
            sequence[length++] = kBreakPrefix;
        }
        sequence[length++] = set2;
    }
    return send(std::span(sequence).first(length));
}

} // namespace ringone::devices
