// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "devices/base/clock.hpp"
#include "devices/base/line.hpp"
#include "devices/bus/register_block.hpp"
#include "devices/mc146818/calendar.hpp"

#include <array>
#include <cstdint>

namespace ringone::devices {

/// The MC146818 real-time clock and the PC's CMOS memory behind it (Motorola MC146818AS; 32.768 kHz time base).
/// Register 0: index (bit 7, the NMI mask, is dropped), 1: data. Time is UTC and follows the host's wall clock, plus
/// whatever the guest has set it off by. Daylight saving (DSE) is not done: PCs never had it right.
class Mc146818 final : public ByteRegisterBlock {
public:
    static constexpr std::uint32_t kCmosBytes = 128;

    Mc146818(const Clock& clock, const WallClock& wall_clock, Line& irq8);

    [[nodiscard]] std::uint8_t read_byte(std::uint32_t offset) override;
    void write_byte(std::uint32_t offset, std::uint8_t value) override;

    /// What firmware leaves in CMOS: base and extended memory sizes in their PC/AT and later places, the equipment
    /// byte, and the checksum.
    void set_memory_size(std::uint64_t bytes);

    /// Needed only while an interrupt is enabled and not yet pending.
    [[nodiscard]] Deadline next_deadline_ns() const;
    void advance(std::uint64_t now_ns);

private:
    [[nodiscard]] std::uint8_t read_register(std::uint32_t index);
    void write_register(std::uint32_t index, std::uint8_t value);
    void write_a(std::uint8_t value);
    void write_b(std::uint8_t value);
    [[nodiscard]] bool updating() const;
    [[nodiscard]] bool divider_running() const;
    [[nodiscard]] bool enabled(std::uint8_t flag) const;
    [[nodiscard]] std::int64_t time_ns() const;
    [[nodiscard]] std::uint8_t encode(std::uint32_t value) const;
    [[nodiscard]] std::uint32_t decode(std::uint8_t value) const;
    [[nodiscard]] std::uint8_t encode_hour(std::uint32_t hour) const;
    [[nodiscard]] std::uint32_t decode_hour(std::uint8_t value) const;
    void show(const CalendarTime& time);
    [[nodiscard]] CalendarTime shown() const;
    void set_time(std::int64_t seconds, std::int64_t fraction_ns);
    [[nodiscard]] bool alarm_matches(std::int64_t second) const;
    [[nodiscard]] std::uint64_t periods_at(std::uint64_t now_ns) const;
    void update_irq();
    void store_checksum();

    const Clock& clock_;
    const WallClock& wall_clock_;
    Line& irq_;
    std::array<std::uint8_t, kCmosBytes> cmos_{};
    std::uint32_t index_ = 0;
    std::int64_t offset_ns_ = 0;       ///< RTC time less host time
    std::int64_t halted_fraction_ = 0; ///< nanoseconds into its second, while updates are inhibited
    std::int64_t last_second_ = 0;     ///< the last one whose update has been seen
    std::uint64_t divider_start_ns_ = 0;
    std::uint64_t last_period_ = 0; ///< of the periodic interrupt
};

} // namespace ringone::devices
