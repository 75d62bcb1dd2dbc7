// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "devices/mc146818/mc146818.hpp"

#include "devices/mc146818/registers.hpp"

#include <algorithm>

namespace ringone::devices {

using namespace rtc;

namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;
/// UIP rises 244 us before an update cycle, which takes 1984 us at 32.768 kHz; the new time shows at its end.
constexpr std::int64_t kUpdateInProgressNs = 244'000 + 1'984'000;
/// When the divider leaves reset, the first update is half a second away.
constexpr std::int64_t kAfterDividerResetNs = kSecondNs / 2;
/// A guest or host that was stopped for longer has missed its alarm; bounds the search.
constexpr std::int64_t kLongestAlarmSearch = 24 * 60 * 60;
/// Years that the guest may set: their distance to the host's time fits 64 bits of nanoseconds.
constexpr std::uint32_t kFirstYear = 1800;
constexpr std::uint32_t kLastYear = 2200;
constexpr std::uint64_t kOscillatorHz = 32'768;
/// Rates 1 and 2 repeat 8 and 9 (256 and 128 Hz) at this time base.
constexpr std::uint32_t kFirstOwnRate = 3;
constexpr std::uint32_t kRepeatedRates = 7;

constexpr std::uint64_t kKib = 1024;
constexpr std::uint64_t kMib = kKib * kKib;
constexpr std::uint64_t kBaseMemoryKib = 640;
constexpr std::uint64_t kWordMax = 0xFFFF;

std::int64_t floor_seconds(std::int64_t ns) {
    return ns / kSecondNs - (ns % kSecondNs < 0 ? 1 : 0);
}

/// Oscillator cycles between periodic interrupts; 0: none.
std::uint64_t periodic_cycles(std::uint8_t register_a) {
    std::uint32_t rate = register_a & kARateMask;
    if (rate == 0) {
        return 0;
    }
    rate += rate < kFirstOwnRate ? kRepeatedRates : 0;
    return 1ULL << (rate - 1U);
}

std::uint64_t oscillator_cycles(std::uint64_t ns) {
    return ns / kNanosecondsPerSecond * kOscillatorHz + ns % kNanosecondsPerSecond * kOscillatorHz / kNanosecondsPerSecond;
}

std::uint64_t oscillator_ns(std::uint64_t cycles) {
    return cycles / kOscillatorHz * kNanosecondsPerSecond +
           (cycles % kOscillatorHz * kNanosecondsPerSecond + kOscillatorHz - 1) / kOscillatorHz;
}

} // namespace

Mc146818::Mc146818(const Clock& clock, const WallClock& wall_clock, Line& irq8)
    : clock_(clock), wall_clock_(wall_clock), irq_(irq8) {
    constexpr std::uint8_t kRate1024Hz = 6;
    cmos_[kRegisterA] = low_byte(kADivider32768Hz << kADividerShift | kRate1024Hz);
    cmos_[kRegisterB] = kB24Hours;
    cmos_[kRegisterD] = kDValid;
    divider_start_ns_ = clock.now_ns();
    last_second_ = floor_seconds(time_ns());
    set_memory_size(kMib);
    show(calendar_from_seconds(last_second_));
}

bool Mc146818::divider_running() const {
    return (cmos_[kRegisterA] >> kADividerShift & kADividerMask) < kADividerReset;
}

bool Mc146818::updating() const {
    return divider_running() && (cmos_[kRegisterB] & kBSet) == 0;
}

bool Mc146818::enabled(std::uint8_t flag) const {
    return (cmos_[kRegisterB] & flag) != 0 && (cmos_[kRegisterC] & flag) == 0;
}

std::int64_t Mc146818::time_ns() const {
    return wall_clock_.unix_time_ns() + offset_ns_;
}

std::uint8_t Mc146818::encode(std::uint32_t value) const {
    return (cmos_[kRegisterB] & kBBinary) != 0 ? low_byte(value) : to_bcd(value);
}

std::uint32_t Mc146818::decode(std::uint8_t value) const {
    return (cmos_[kRegisterB] & kBBinary) != 0 ? value : from_bcd(value);
}

std::uint8_t Mc146818::encode_hour(std::uint32_t hour) const {
    if ((cmos_[kRegisterB] & kB24Hours) != 0) {
        return encode(hour);
    }
    const std::uint32_t of_twelve = hour % 12U == 0 ? 12U : hour % 12U;
    return low_byte(encode(of_twelve) | (hour >= 12U ? kHourPm : 0U));
}

std::uint32_t Mc146818::decode_hour(std::uint8_t value) const {
    if ((cmos_[kRegisterB] & kB24Hours) != 0) {
        return decode(value);
    }
    return decode(low_byte(value & ~static_cast<unsigned>(kHourPm))) % 12U + ((value & kHourPm) != 0 ? 12U : 0U);
}

void Mc146818::show(const CalendarTime& time) {
    cmos_[kSeconds] = encode(time.second);
    cmos_[kMinutes] = encode(time.minute);
    cmos_[kHours] = encode_hour(time.hour);
    cmos_[kDayOfWeek] = encode(time.weekday);
    cmos_[kDayOfMonth] = encode(time.day);
    cmos_[kMonth] = encode(time.month);
    cmos_[kYear] = encode(static_cast<std::uint32_t>(time.year) % 100U);
    cmos_[kCmosCentury] = encode(static_cast<std::uint32_t>(time.year) / 100U);
}

CalendarTime Mc146818::shown() const {
    const std::uint32_t year = decode(cmos_[kCmosCentury]) * 100U + decode(cmos_[kYear]);
    return {
        .year = static_cast<std::int32_t>(std::clamp(year, kFirstYear, kLastYear)),
        .month = decode(cmos_[kMonth]),
        .day = decode(cmos_[kDayOfMonth]),
        .hour = decode_hour(cmos_[kHours]),
        .minute = decode(cmos_[kMinutes]),
        .second = decode(cmos_[kSeconds]),
        .weekday = decode(cmos_[kDayOfWeek]),
    };
}

void Mc146818::set_time(std::int64_t seconds, std::int64_t fraction_ns) {
    offset_ns_ = seconds * kSecondNs + fraction_ns - wall_clock_.unix_time_ns();
    last_second_ = seconds;
}

bool Mc146818::alarm_matches(std::int64_t second) const {
    const CalendarTime time = calendar_from_seconds(second);
    const auto matches = [this](std::uint32_t index, std::uint8_t value) {
        return cmos_[index] >= kAlarmDontCare || cmos_[index] == value;
    };
    return matches(kSecondsAlarm, encode(time.second)) && matches(kMinutesAlarm, encode(time.minute)) &&
           matches(kHoursAlarm, encode_hour(time.hour));
}

std::uint64_t Mc146818::periods_at(std::uint64_t now_ns) const {
    const std::uint64_t cycles = periodic_cycles(cmos_[kRegisterA]);
    return cycles == 0 ? 0 : oscillator_cycles(now_ns - std::min(now_ns, divider_start_ns_)) / cycles;
}

void Mc146818::advance(std::uint64_t now_ns) {
    if (updating()) {
        const std::int64_t second = floor_seconds(time_ns());
        if (second != last_second_) { // the host's clock may step back too
            cmos_[kRegisterC] |= kUpdateEnded;
            for (std::int64_t s = std::max(last_second_ + 1, second - kLongestAlarmSearch); s <= second; ++s) {
                if (alarm_matches(s)) {
                    cmos_[kRegisterC] |= kAlarm;
                    break;
                }
            }
            last_second_ = second;
            show(calendar_from_seconds(second));
        }
    }
    if (divider_running()) {
        const std::uint64_t period = periods_at(now_ns);
        if (period != last_period_) {
            last_period_ = period;
            cmos_[kRegisterC] |= kPeriodic;
        }
    }
    update_irq();
}

void Mc146818::update_irq() {
    const bool requested = (cmos_[kRegisterB] & cmos_[kRegisterC] & kInterruptFlags) != 0;
    cmos_[kRegisterC] = low_byte((cmos_[kRegisterC] & kInterruptFlags) | (requested ? kCInterruptRequest : 0U));
    irq_.set_level(requested);
}

Deadline Mc146818::next_deadline_ns() const {
    const std::uint64_t now_ns = clock_.now_ns();
    Deadline deadline;
    if (updating() && (enabled(kUpdateEnded) || enabled(kAlarm))) {
        const std::int64_t next = (last_second_ + 1) * kSecondNs;
        const std::int64_t wait = std::clamp<std::int64_t>(next - time_ns(), 0, kSecondNs);
        deadline = now_ns + static_cast<std::uint64_t>(wait);
    }
    const std::uint64_t cycles = periodic_cycles(cmos_[kRegisterA]);
    if (divider_running() && cycles != 0 && enabled(kPeriodic)) {
        deadline = earlier_of(deadline, divider_start_ns_ + oscillator_ns((last_period_ + 1) * cycles));
    }
    return deadline;
}

std::uint8_t Mc146818::read_byte(std::uint32_t offset) {
    if (offset == 0) {
        return low_byte(all_ones(1)); // the index register is write-only
    }
    advance(clock_.now_ns());
    return read_register(index_);
}

std::uint8_t Mc146818::read_register(std::uint32_t index) {
    std::uint8_t value = cmos_[index];
    if (index == kRegisterA) {
        const std::int64_t fraction = time_ns() - last_second_ * kSecondNs;
        if (updating() && fraction >= kSecondNs - kUpdateInProgressNs) {
            value |= kAUpdateInProgress;
        }
    } else if (index == kRegisterC) {
        cmos_[kRegisterC] = 0;
        update_irq();
    }
    return value;
}

void Mc146818::write_byte(std::uint32_t offset, std::uint8_t value) {
    if (offset == 0) {
        index_ = value % kCmosBytes;
        return;
    }
    advance(clock_.now_ns());
    write_register(index_, value);
}

void Mc146818::write_register(std::uint32_t index, std::uint8_t value) {
    switch (index) {
    case kRegisterA:
        write_a(value);
        return;
    case kRegisterB:
        write_b(value);
        return;
    case kRegisterC:
    case kRegisterD: // read-only
        return;
    default:
        cmos_[index] = value;
        break;
    }
    const bool of_time = (index <= kYear && index != kSecondsAlarm && index != kMinutesAlarm && index != kHoursAlarm &&
                          index != kDayOfWeek) ||
                         index == kCmosCentury;
    if (of_time && updating()) {
        const std::int64_t fraction = time_ns() - floor_seconds(time_ns()) * kSecondNs;
        set_time(seconds_from_calendar(shown()), fraction);
    }
}

void Mc146818::write_a(std::uint8_t value) {
    const bool was_running = divider_running();
    const bool was_updating = updating();
    const std::int64_t fraction = time_ns() - last_second_ * kSecondNs;
    cmos_[kRegisterA] = low_byte(value & ~static_cast<unsigned>(kAUpdateInProgress));
    if (was_updating && !updating()) {
        halted_fraction_ = fraction;
    }
    if (!was_running && divider_running()) {
        halted_fraction_ = kAfterDividerResetNs;
        divider_start_ns_ = clock_.now_ns();
    }
    last_period_ = periods_at(clock_.now_ns());
    if (!was_updating && updating()) {
        set_time(seconds_from_calendar(shown()), halted_fraction_);
    }
}

void Mc146818::write_b(std::uint8_t value) {
    const bool was_updating = updating();
    const std::int64_t fraction = time_ns() - last_second_ * kSecondNs;
    cmos_[kRegisterB] = value;
    if ((value & kBSet) != 0) {
        // SET clears UIE (datasheet, register B).
        cmos_[kRegisterB] = low_byte(value & ~static_cast<unsigned>(kUpdateEnded));
    }
    if (was_updating && !updating()) {
        halted_fraction_ = fraction;
    } else if (!was_updating && updating()) {
        set_time(seconds_from_calendar(shown()), halted_fraction_);
    } else if (updating()) {
        show(calendar_from_seconds(last_second_)); // the data mode may have changed
    }
    update_irq();
}

void Mc146818::set_memory_size(std::uint64_t bytes) {
    const auto store_word = [this](std::uint32_t index, std::uint64_t value) {
        cmos_[index] = byte_of(static_cast<std::uint32_t>(value), 0);
        cmos_[index + 1] = byte_of(static_cast<std::uint32_t>(value), 1);
    };
    const std::uint64_t extended_kib = bytes > kMib ? std::min((bytes - kMib) / kKib, kWordMax) : 0;
    const std::uint64_t above_16_mib = bytes > 16 * kMib ? std::min((bytes - 16 * kMib) / (64 * kKib), kWordMax) : 0;
    cmos_[kCmosEquipment] = kEquipmentFpu | kEquipmentKeyboard;
    store_word(kCmosBaseMemoryLow, kBaseMemoryKib);
    store_word(kCmosExtendedLow, extended_kib);
    store_word(kCmosExtendedAgainLow, extended_kib);
    store_word(kCmosAbove16MibLow, above_16_mib);
    store_checksum();
}

void Mc146818::store_checksum() {
    std::uint32_t sum = 0;
    for (std::uint32_t index = kCmosChecksumFirst; index <= kCmosChecksumLast; ++index) {
        sum += cmos_[index];
    }
    cmos_[kCmosChecksumHigh] = byte_of(sum, 1);
    cmos_[kCmosChecksumLow] = byte_of(sum, 0);
}

} // namespace ringone::devices
