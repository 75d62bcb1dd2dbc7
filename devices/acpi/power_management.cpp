// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "devices/acpi/power_management.hpp"

#include "devices/base/crystal.hpp"

namespace ringone::devices {

namespace {

constexpr std::uint32_t kTimerMask = 0x00FF'FFFF;
constexpr std::uint32_t kTimerTopBit = 23;
constexpr std::uint16_t kGlobalStatus = 0x0020;
/// The RTC's event can be enabled, as Linux's rtc_cmos insists on, and never comes: there is no sleep to wake from.
constexpr std::uint16_t kRtcAlarm = 0x0400;
constexpr std::uint16_t kImplementedEvents =
    PowerManagement::kTimerStatus | kGlobalStatus | PowerManagement::kPowerButton | kRtcAlarm;
constexpr std::uint16_t kSleepTypeMask = 7U << PowerManagement::kSleepTypeShift;
constexpr std::uint16_t kBusMasterReload = 0x0002;
constexpr std::uint16_t kControlWritable = kSleepTypeMask | kBusMasterReload;

constexpr std::uint32_t kDwordMask = 3;
constexpr std::uint32_t kEnableShift = 16;
constexpr std::uint32_t kStatusLow = 0, kStatusHigh = 1, kEnableLow = 2, kEnableHigh = 3;
constexpr std::uint32_t kControlLow = PowerManagement::kPm1Control, kControlHigh = kControlLow + 1;

[[nodiscard]] std::uint16_t with_byte(std::uint16_t word, std::uint32_t index, std::uint8_t value) {
    const std::uint32_t shift = 8U * index;
    return low_word((word & ~(0xFFU << shift)) | static_cast<std::uint32_t>(value) << shift);
}

} // namespace

PowerManagement::PowerManagement(const Clock& clock, Line& sci, Line& power_off)
    : clock_(clock), sci_(sci), power_off_(power_off) {
    advance(clock_.now_ns());
    status_ = 0;
    update_sci();
}

std::uint32_t PowerManagement::dword(std::uint32_t offset, std::uint64_t now_ns) const {
    switch (offset) {
    case kPm1Event: return status_ | static_cast<std::uint32_t>(enable_) << kEnableShift;
    case kPm1Control: return control_;
    case kPmTimer: return static_cast<std::uint32_t>(PmTimerFrequency::ticks(now_ns) & kTimerMask);
    default: return 0;
    }
}

std::uint32_t PowerManagement::read(std::uint32_t offset, std::uint32_t size) {
    // One look at the clock for the whole access: bytes of different moments would not be a time.
    const std::uint64_t now_ns = clock_.now_ns();
    advance(now_ns);
    std::uint32_t value = 0;
    for (std::uint32_t i = 0; i < size; ++i) {
        const std::uint32_t at = offset + i;
        const std::uint32_t whole = dword(at & ~kDwordMask, now_ns);
        value |= static_cast<std::uint32_t>(byte_of(whole, at & kDwordMask)) << (8U * i);
    }
    return value;
}

void PowerManagement::write(std::uint32_t offset, std::uint32_t size, std::uint32_t value) {
    advance(clock_.now_ns());
    for (std::uint32_t i = 0; i < size; ++i) {
        write_byte(offset + i, byte_of(value, i));
    }
    update_sci();
}

void PowerManagement::write_byte(std::uint32_t offset, std::uint8_t value) {
    switch (offset) {
    case kStatusLow:
    case kStatusHigh: status_ &= low_word(~(static_cast<std::uint32_t>(value) << (8U * offset))); break;
    case kEnableLow:
    case kEnableHigh: enable_ = with_byte(enable_, offset - kEnableLow, value) & kImplementedEvents; break;
    case kControlLow:
    case kControlHigh: {
        const std::uint16_t written = with_byte(control_, offset - kControlLow, value);
        control_ = low_word((written & kControlWritable) | kSciEnable);
        const bool soft_off = (written & kSleepTypeMask) >> kSleepTypeShift == kSoftOffType;
        if ((written & kSleepEnable) != 0 && soft_off) {
            power_off_.set_level(true);
        }
        break;
    }
    default: break;
    }
}

void PowerManagement::press_power_button() {
    status_ |= kPowerButton;
    update_sci();
}

Deadline PowerManagement::next_deadline_ns() const {
    if ((enable_ & static_cast<unsigned>(~status_) & kTimerStatus) == 0) {
        return std::nullopt;
    }
    return PmTimerFrequency::ns((carries_ + 1) << kTimerTopBit);
}

void PowerManagement::advance(std::uint64_t now_ns) {
    const std::uint64_t carries = PmTimerFrequency::ticks(now_ns) >> kTimerTopBit;
    if (carries > carries_) {
        carries_ = carries;
        status_ |= kTimerStatus;
        update_sci();
    }
}

void PowerManagement::update_sci() {
    sci_.set_level((status_ & enable_) != 0);
}

} // namespace ringone::devices
