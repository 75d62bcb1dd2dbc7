// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "devices/i8254/i8254.hpp"

#include "devices/base/crystal.hpp"

namespace ringone::devices {

namespace {

constexpr std::uint32_t kControlWord = 3;
constexpr std::uint32_t kReadBack = 3; ///< in the counter-select bits
constexpr std::uint8_t kReadBackNoCount = 0x20;
constexpr std::uint8_t kReadBackNoStatus = 0x10;
constexpr std::uint8_t kAccessMask = 0x30; ///< 0: counter latch command
/// Late ticks come this many times as fast as the timer's own.
constexpr std::uint64_t kCatchUpRate = 4;

} // namespace

I8254::I8254(const Clock& clock, InterruptInput& irq0) : clock_(clock), tick_line_(irq0) {
    counters_[kSpeakerCounter].set_gate(false, tick());
}

std::uint64_t I8254::tick() const {
    return TimerFrequency::ticks(clock_.now_ns());
}

void I8254::drive_ticks(std::uint64_t now_ns) {
    I8254Counter& counter = counters_[0];
    tick_line_.tick(counter.take_rising_edges(), TimerFrequency::ns(counter.period()) / kCatchUpRate, now_ns);
    tick_line_.service(now_ns);
}

void I8254::advance(std::uint64_t now_ns) {
    counters_[0].run_to(TimerFrequency::ticks(now_ns));
    drive_ticks(now_ns);
}

Deadline I8254::next_deadline_ns() const {
    const Deadline edge = counters_[0].next_rising_edge();
    return earlier_of(edge ? Deadline(TimerFrequency::ns(*edge)) : std::nullopt, tick_line_.next_deadline_ns());
}

std::uint8_t I8254::read_byte(std::uint32_t offset) {
    if (offset >= kCounters) {
        return low_byte(all_ones(1)); // the control word cannot be read
    }
    const std::uint8_t value = counters_[offset].read(tick());
    drive_ticks(clock_.now_ns());
    return value;
}

void I8254::write_byte(std::uint32_t offset, std::uint8_t value) {
    const std::uint64_t now_ns = clock_.now_ns();
    advance(now_ns); // ticks due before the write count by the old settings
    const std::uint64_t now = TimerFrequency::ticks(now_ns);
    if (offset < kCounters) {
        counters_[offset].write_count(value, now);
    } else if (offset == kControlWord) {
        const std::uint32_t select = value >> 6U;
        if (select == kReadBack) {
            read_back(value);
        } else if ((value & kAccessMask) == 0) {
            counters_[select].latch_count(now);
        } else {
            counters_[select].write_control(value, now);
            if (select == 0) {
                tick_line_.restart();
            }
        }
    }
    drive_ticks(now_ns);
}

void I8254::read_back(std::uint8_t command) {
    for (std::uint32_t i = 0; i < kCounters; ++i) {
        if ((command >> (i + 1U) & 1U) == 0) {
            continue;
        }
        if ((command & kReadBackNoCount) == 0) {
            counters_[i].latch_count(tick());
        }
        if ((command & kReadBackNoStatus) == 0) {
            counters_[i].latch_status(tick());
        }
    }
}

void I8254::set_speaker_gate(bool high) {
    counters_[kSpeakerCounter].set_gate(high, tick());
}

bool I8254::speaker_out() {
    counters_[kSpeakerCounter].run_to(tick());
    return counters_[kSpeakerCounter].out();
}

} // namespace ringone::devices
