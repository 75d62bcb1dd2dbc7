// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "devices/i8042/i8042.hpp"

#include "devices/i8042/scan_codes.hpp"

namespace ringone::devices {

namespace {

enum Command : std::uint8_t {
    kReadMemoryFirst = 0x20,
    kReadMemoryLast = 0x3F,
    kWriteMemoryFirst = 0x60,
    kWriteMemoryLast = 0x7F,
    kDisableAux = 0xA7,
    kEnableAux = 0xA8,
    kTestAux = 0xA9,
    kSelfTest = 0xAA,
    kTestKeyboard = 0xAB,
    kDisableKeyboard = 0xAD,
    kEnableKeyboard = 0xAE,
    kReadInputPort = 0xC0,
    kReadOutputPort = 0xD0,
    kWriteOutputPort = 0xD1,
    kWriteKeyboardOutput = 0xD2,
    kWriteAuxOutput = 0xD3,
    kWriteAux = 0xD4,
    kDisableA20 = 0xDD,
    kEnableA20 = 0xDF,
    kReadTestInputs = 0xE0,
    kPulseOutputFirst = 0xF0,
};

constexpr std::uint8_t kStatusOutputFull = 0x01;
constexpr std::uint8_t kStatusSystem = 0x04;
constexpr std::uint8_t kStatusCommandWritten = 0x08;
constexpr std::uint8_t kStatusNotLocked = 0x10;
constexpr std::uint8_t kStatusAuxData = 0x20;
constexpr std::uint8_t kStatusTimeout = 0x40;

constexpr std::uint8_t kConfigKeyboardInterrupt = 0x01;
constexpr std::uint8_t kConfigSystem = 0x04;
constexpr std::uint8_t kConfigKeyboardDisabled = 0x10;
constexpr std::uint8_t kConfigAuxDisabled = 0x20;
constexpr std::uint8_t kConfigTranslate = 0x40;
constexpr std::uint8_t kConfigAfterFirmware =
    kConfigKeyboardInterrupt | kConfigSystem | kConfigAuxDisabled | kConfigTranslate;

constexpr std::uint8_t kOutputNoReset = 0x01;
constexpr std::uint8_t kOutputA20 = 0x02;
constexpr std::uint8_t kOutputKeyboardInterrupt = 0x10;
/// Keyboard clock and data high, as with an idle keyboard.
constexpr std::uint8_t kOutputIdle = 0xCC;

constexpr std::uint8_t kSelfTestPassed = 0x55;
constexpr std::uint8_t kTestPassed = 0x00;
constexpr std::uint8_t kTestClockStuckLow = 0x01;
constexpr std::uint8_t kInputPort = 0x80; ///< the keyboard is not inhibited
constexpr std::uint8_t kTestInputsIdle = 0x03;
constexpr std::uint8_t kAuxNoAnswer = 0xFE;
constexpr std::uint8_t kSet2BreakPrefix = 0xF0;
constexpr std::uint8_t kSet1Break = 0x80;

} // namespace

I8042::I8042(const I8042Lines& lines) : lines_(lines), output_port_(kOutputIdle | kOutputNoReset | kOutputA20) {
    configuration() = kConfigAfterFirmware;
    lines_.a20.set_level(true);
}

std::uint8_t I8042::status() const {
    return low_byte((output_ ? kStatusOutputFull | output_->status : 0U) | (memory_[0] & kStatusSystem) |
                    (last_write_was_command_ ? kStatusCommandWritten : 0U) | kStatusNotLocked);
}

std::uint8_t I8042::read_byte(std::uint32_t offset) {
    return offset == kData ? read_data() : status();
}

void I8042::write_byte(std::uint32_t offset, std::uint8_t value) {
    last_write_was_command_ = offset == kStatusCommand;
    if (last_write_was_command_) {
        awaits_data_.reset();
        write_command(value);
    } else {
        write_data(value);
    }
    fill_output();
}

bool I8042::key(KeyCode code, bool pressed) {
    const bool taken = keyboard_.key(code, pressed);
    fill_output();
    return taken;
}

std::uint8_t I8042::read_data() {
    if (output_) {
        last_data_ = output_->byte;
        output_.reset();
        lines_.irq1.set_level(false);
        fill_output();
    }
    return last_data_;
}

std::optional<std::uint8_t> I8042::keyboard_byte() {
    if ((memory_[0] & kConfigKeyboardDisabled) != 0) {
        return std::nullopt;
    }
    while (const std::optional<std::uint8_t> byte = keyboard_.take()) {
        if ((memory_[0] & kConfigTranslate) == 0) {
            break_prefix_ = false;
            return byte;
        }
        if (*byte == kSet2BreakPrefix) {
            break_prefix_ = true;
            continue;
        }
        const std::uint8_t code = low_byte(translate_to_set1(*byte) | (break_prefix_ ? kSet1Break : 0U));
        break_prefix_ = false;
        return code;
    }
    return std::nullopt;
}

void I8042::fill_output() {
    if (!output_ && !responses_.empty()) {
        output_ = responses_.pop();
    }
    if (!output_) {
        if (const std::optional<std::uint8_t> byte = keyboard_byte()) {
            output_ = Output{*byte, 0};
        }
    }
    lines_.irq1.set_level(output_ && (output_->status & kStatusAuxData) == 0 &&
                          (memory_[0] & kConfigKeyboardInterrupt) != 0);
}

void I8042::respond(std::uint8_t byte, std::uint8_t status_bits) {
    static_cast<void>(responses_.push({byte, status_bits})); // a guest that never reads them loses the newest
}

void I8042::set_output_port(std::uint8_t value) {
    output_port_ = value;
    lines_.a20.set_level((value & kOutputA20) != 0);
    if ((value & kOutputNoReset) == 0) {
        lines_.reset.set_level(true);
        lines_.reset.set_level(false);
        output_port_ |= kOutputNoReset;
    }
}

void I8042::write_command(std::uint8_t command) {
    if (command >= kReadMemoryFirst && command <= kReadMemoryLast) {
        respond(memory_[command % kMemoryBytes]);
        return;
    }
    if (command >= kWriteMemoryFirst && command <= kWriteMemoryLast) {
        awaits_data_ = command;
        return;
    }
    if (command >= kPulseOutputFirst) { // a zero bit pulses its output low; only the reset line is wired to anything
        set_output_port(low_byte(output_port_ & (command | ~static_cast<unsigned>(kOutputNoReset))));
        return;
    }
    switch (command) {
    case kDisableAux:
        configuration() |= kConfigAuxDisabled;
        break;
    case kEnableAux:
        configuration() &= static_cast<std::uint8_t>(~kConfigAuxDisabled);
        break;
    case kTestAux:
        respond(kTestClockStuckLow);
        break;
    case kSelfTest:
        configuration() |= kConfigSystem;
        respond(kSelfTestPassed);
        break;
    case kTestKeyboard:
        respond(kTestPassed);
        break;
    case kDisableKeyboard:
        configuration() |= kConfigKeyboardDisabled;
        break;
    case kEnableKeyboard:
        configuration() &= static_cast<std::uint8_t>(~kConfigKeyboardDisabled);
        break;
    case kReadInputPort:
        respond(kInputPort);
        break;
    case kReadOutputPort:
        respond(low_byte(output_port_ | (output_ ? kOutputKeyboardInterrupt : 0U)));
        break;
    case kWriteOutputPort:
    case kWriteKeyboardOutput:
    case kWriteAuxOutput:
    case kWriteAux:
        awaits_data_ = command;
        break;
    case kDisableA20:
    case kEnableA20:
        set_output_port(low_byte((output_port_ & ~static_cast<unsigned>(kOutputA20)) |
                                 (command == kEnableA20 ? kOutputA20 : 0U)));
        break;
    case kReadTestInputs:
        respond(kTestInputsIdle);
        break;
    default: // unknown to the controller: ignored
        break;
    }
}

void I8042::write_data(std::uint8_t value) {
    if (!awaits_data_) {
        configuration() &= static_cast<std::uint8_t>(~kConfigKeyboardDisabled); // sending starts the clock again
        keyboard_.write(value);
        return;
    }
    const std::uint8_t command = *awaits_data_;
    awaits_data_.reset();
    switch (command) {
    case kWriteOutputPort:
        set_output_port(value);
        break;
    case kWriteKeyboardOutput:
    case kWriteAuxOutput: // without an auxiliary port it is not marked as the port's: Linux then skips the port
        respond(value);
        break;
    case kWriteAux:
        respond(kAuxNoAnswer, kStatusAuxData | kStatusTimeout);
        break;
    default: // 0x60-0x7F
        memory_[command % kMemoryBytes] = value;
        break;
    }
}

} // namespace ringone::devices
