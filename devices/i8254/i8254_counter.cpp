// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "devices/i8254/i8254_counter.hpp"

#include "devices/base/bits.hpp"

#include <algorithm>

namespace ringone::devices {

namespace {

constexpr std::uint32_t kBinaryRange = 0x1'0000;
constexpr std::uint32_t kBcdRange = 10'000;
/// A count of 1 is illegal in modes 2 and 3; the shortest legal period stands in.
constexpr std::uint32_t kShortestPeriod = 2;
constexpr std::uint8_t kControlBcd = 0x01;
constexpr std::uint8_t kControlBits = 0x3F;
constexpr std::uint8_t kStatusOut = 0x80;
constexpr std::uint8_t kStatusNullCount = 0x40;
constexpr std::uint32_t kModeAliases = 4; ///< 6 and 7 are modes 2 and 3
constexpr std::uint32_t kLastMode = 5;

std::uint32_t four_digits(std::uint16_t bcd) {
    return from_bcd(bcd >> 8U) * 100U + from_bcd(bcd & 0xFFU);
}

} // namespace

std::uint32_t I8254Counter::range() const {
    return bcd_ ? kBcdRange : kBinaryRange;
}

std::uint32_t I8254Counter::modulus_from(std::uint16_t count) const {
    // Digits above 9 make a BCD count larger than its range; taken modulo, as only 0 means the whole range.
    const std::uint32_t value = (bcd_ ? four_digits(count) : count) % range();
    const std::uint32_t modulus = value == 0 ? range() : value;
    return periodic() ? std::max(modulus, kShortestPeriod) : modulus;
}

std::uint64_t I8254Counter::high_phase() const {
    return (modulus_ + 1U) / 2U;
}

std::uint64_t I8254Counter::phase_length() const {
    if (mode_ == Mode::kRateGenerator) {
        return modulus_;
    }
    return low_half_ ? modulus_ - high_phase() : high_phase();
}

std::uint64_t I8254Counter::edge_after_load() const {
    return strobe() ? modulus_ + 1ULL : modulus_;
}

bool I8254Counter::out() const {
    if (!loaded_) {
        return mode_ != Mode::kInterruptOnTerminalCount;
    }
    switch (mode_) {
    case Mode::kInterruptOnTerminalCount:
    case Mode::kHardwareOneShot:
        return elapsed() >= modulus_;
    case Mode::kRateGenerator:
        return !gate_ || elapsed() != modulus_ - 1U;
    case Mode::kSquareWave:
        return !gate_ || !low_half_;
    case Mode::kSoftwareStrobe:
    case Mode::kHardwareStrobe:
        break;
    }
    return elapsed() != modulus_;
}

std::uint16_t I8254Counter::counting_element() const {
    if (!loaded_) {
        return held_element_;
    }
    std::uint64_t value = 0;
    switch (mode_) {
    case Mode::kRateGenerator:
        value = modulus_ - elapsed();
        break;
    case Mode::kSquareWave: // an odd count loads one less; each CLK takes two
        value = (modulus_ & ~1ULL) - std::min<std::uint64_t>(2 * elapsed(), modulus_ & ~1ULL);
        break;
    default: // runs on through zero
        value = modulus_ + range() - elapsed() % range();
        break;
    }
    const std::uint32_t counted = static_cast<std::uint32_t>(value % range());
    return low_word(bcd_ ? static_cast<std::uint32_t>(to_bcd(counted / 100U)) << 8U | to_bcd(counted % 100U) : counted);
}

void I8254Counter::stop() {
    held_element_ = counting_element();
    loaded_ = false;
    load_tick_.reset();
    frozen_at_.reset();
    low_half_ = false;
}

void I8254Counter::take_new_count() {
    if (new_count_ && count_register_) {
        modulus_ = modulus_from(*count_register_);
        new_count_ = false;
        null_count_ = false;
    }
}

void I8254Counter::load() {
    const bool was_low = !out();
    new_count_ = true; // a trigger reloads the old count too
    take_new_count();
    loaded_ = true;
    loaded_tick_ = *load_tick_;
    tick_ = *load_tick_;
    load_tick_.reset();
    low_half_ = false;
    // Triggers only start hardware-triggered modes; in the others GATE low holds the count.
    frozen_at_ = gate_ || hardware_triggered() ? std::nullopt : std::optional<std::uint64_t>(0);
    rising_edges_ += was_low && out() ? 1 : 0;
}

void I8254Counter::next_phase() {
    loaded_tick_ += phase_length();
    if (mode_ == Mode::kSquareWave) {
        low_half_ = !low_half_;
    }
    rising_edges_ += low_half_ ? 0 : 1;
    take_new_count();
}

void I8254Counter::advance_periodic(std::uint64_t tick) {
    while (new_count_ && loaded_tick_ + phase_length() <= tick) {
        next_phase();
    }
    if (!new_count_ && tick > loaded_tick_) {
        const std::uint64_t whole_periods = (tick - loaded_tick_) / modulus_;
        rising_edges_ += whole_periods;
        loaded_tick_ += whole_periods * modulus_;
        while (loaded_tick_ + phase_length() <= tick) {
            next_phase();
        }
    }
    tick_ = tick;
}

void I8254Counter::advance_wave(std::uint64_t tick) {
    if (!loaded_ || frozen_at_) {
        tick_ = tick;
    } else if (periodic()) {
        advance_periodic(tick);
    } else {
        const std::uint64_t before = elapsed();
        tick_ = tick;
        rising_edges_ += before < edge_after_load() && elapsed() >= edge_after_load() ? 1 : 0;
    }
}

void I8254Counter::run_to(std::uint64_t tick) {
    tick = std::max(tick, tick_);
    if (load_tick_ && *load_tick_ <= tick) {
        advance_wave(*load_tick_);
        load();
    }
    advance_wave(tick);
}

std::uint64_t I8254Counter::take_rising_edges() {
    const std::uint64_t edges = rising_edges_;
    rising_edges_ = 0;
    return edges;
}

Deadline I8254Counter::next_rising_edge() const {
    if (load_tick_) {
        if (!out()) {
            return load_tick_; // the load itself may raise it
        }
        if (!gate_ && !hardware_triggered()) {
            return std::nullopt; // loaded, and held
        }
        const std::uint64_t count = modulus_from(count_register_.value_or(0));
        return *load_tick_ + count + (strobe() ? 1 : 0);
    }
    if (!loaded_ || frozen_at_) {
        return std::nullopt;
    }
    if (mode_ == Mode::kSquareWave && !low_half_) {
        // A new count takes effect at the half, so wake there for it.
        return loaded_tick_ + (new_count_ ? high_phase() : modulus_);
    }
    if (periodic()) {
        return loaded_tick_ + phase_length();
    }
    return elapsed() < edge_after_load() ? Deadline(loaded_tick_ + edge_after_load()) : std::nullopt;
}

void I8254Counter::write_control(std::uint8_t control, std::uint64_t tick) {
    run_to(tick);
    const bool was_low = !out();
    stop();
    control_ = control & kControlBits;
    access_ = static_cast<Access>(control >> 4U & 3U);
    const std::uint32_t mode = control >> 1U & 7U;
    mode_ = static_cast<Mode>(mode > kLastMode ? mode - kModeAliases : mode);
    bcd_ = (control & kControlBcd) != 0;
    null_count_ = true;
    new_count_ = false;
    count_register_.reset();
    write_high_next_ = false;
    read_high_next_ = false;
    latched_count_.reset();
    latched_status_.reset();
    rising_edges_ += was_low && out() ? 1 : 0;
}

void I8254Counter::write_count(std::uint8_t byte, std::uint64_t tick) {
    run_to(tick);
    switch (access_) {
    case Access::kLowByte:
        count_written(byte);
        break;
    case Access::kHighByte:
        count_written(low_word(static_cast<std::uint32_t>(byte) << 8U));
        break;
    default:
        if (write_high_next_) {
            write_high_next_ = false;
            count_written(low_word(static_cast<std::uint32_t>(byte) << 8U | low_written_));
        } else {
            write_high_next_ = true;
            low_written_ = byte;
            if (mode_ == Mode::kInterruptOnTerminalCount) {
                stop(); // OUT goes low with the first byte already
            }
        }
        break;
    }
}

void I8254Counter::count_written(std::uint16_t count) {
    count_register_ = count;
    new_count_ = true;
    null_count_ = true;
    if (mode_ == Mode::kInterruptOnTerminalCount) {
        stop();
    }
    // Running periodic modes take it at the end of their cycle, hardware-triggered ones at their trigger.
    if (!hardware_triggered() && !(periodic() && loaded_)) {
        load_tick_ = tick_ + 1;
    }
}

void I8254Counter::set_gate(bool high, std::uint64_t tick) {
    run_to(tick);
    if (high == gate_) {
        return;
    }
    gate_ = high;
    if (hardware_triggered()) {
        if (high && count_register_) {
            load_tick_ = tick_ + 1;
        }
        return;
    }
    if (!loaded_) {
        return;
    }
    if (!high) {
        frozen_at_ = tick_ - loaded_tick_;
        low_half_ = false; // OUT goes high at once
    } else if (periodic()) {
        load_tick_ = tick_ + 1;
    } else if (frozen_at_) {
        loaded_tick_ = tick_ - *frozen_at_;
        frozen_at_.reset();
    }
}

void I8254Counter::latch_count(std::uint64_t tick) {
    run_to(tick);
    if (!latched_count_) {
        latched_count_ = counting_element();
    }
}

void I8254Counter::latch_status(std::uint64_t tick) {
    run_to(tick);
    if (!latched_status_) {
        latched_status_ = low_byte((out() ? kStatusOut : 0U) | (null_count_ ? kStatusNullCount : 0U) | control_);
    }
}

std::uint8_t I8254Counter::read(std::uint64_t tick) {
    run_to(tick);
    if (latched_status_) {
        const std::uint8_t status = *latched_status_;
        latched_status_.reset();
        return status;
    }
    const std::uint16_t count = latched_count_.value_or(counting_element());
    bool high = access_ == Access::kHighByte;
    bool last = true;
    if (access_ == Access::kLowThenHigh) {
        high = read_high_next_;
        last = read_high_next_;
        read_high_next_ = !read_high_next_;
    }
    if (last) {
        latched_count_.reset();
    }
    return byte_of(count, high ? 1 : 0);
}

} // namespace ringone::devices
