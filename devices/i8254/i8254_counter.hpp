// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "devices/base/clock.hpp"

#include <cstdint>
#include <optional>

namespace ringone::devices {

/// One counter of an 8254 (Intel 231164). Time is given in ticks of its CLK input; the state between events is
/// computed, not stepped, so a jump over any time costs the same. Every call brings the counter to `tick` first.
class I8254Counter {
public:
    /// Control word, without its counter-select bits: RW 5:4, mode 3:1, BCD 0.
    void write_control(std::uint8_t control, std::uint64_t tick);
    void write_count(std::uint8_t byte, std::uint64_t tick);
    [[nodiscard]] std::uint8_t read(std::uint64_t tick);
    void latch_count(std::uint64_t tick);
    void latch_status(std::uint64_t tick);
    void set_gate(bool high, std::uint64_t tick);

    void run_to(std::uint64_t tick);
    [[nodiscard]] bool gate() const { return gate_; }
    /// The OUT pin at the tick last run to.
    [[nodiscard]] bool out() const;
    /// Rising edges of OUT since the last call.
    [[nodiscard]] std::uint64_t take_rising_edges();
    [[nodiscard]] Deadline next_rising_edge() const;
    /// Ticks from one edge to the next while the counter runs periodically (modes 2 and 3), else 0.
    [[nodiscard]] std::uint64_t period() const { return periodic() && loaded_ ? modulus_ : 0; }

private:
    enum class Mode : std::uint8_t {
        kInterruptOnTerminalCount,
        kHardwareOneShot,
        kRateGenerator,
        kSquareWave,
        kSoftwareStrobe,
        kHardwareStrobe,
    };
    enum class Access : std::uint8_t { kLatchCommand, kLowByte, kHighByte, kLowThenHigh };

    [[nodiscard]] bool periodic() const { return mode_ == Mode::kRateGenerator || mode_ == Mode::kSquareWave; }
    [[nodiscard]] bool hardware_triggered() const {
        return mode_ == Mode::kHardwareOneShot || mode_ == Mode::kHardwareStrobe;
    }
    [[nodiscard]] bool strobe() const {
        return mode_ == Mode::kSoftwareStrobe || mode_ == Mode::kHardwareStrobe;
    }
    [[nodiscard]] std::uint32_t range() const;
    [[nodiscard]] std::uint32_t modulus_from(std::uint16_t count) const;
    [[nodiscard]] std::uint64_t elapsed() const { return frozen_at_.value_or(tick_ - loaded_tick_); }
    [[nodiscard]] std::uint64_t high_phase() const;
    [[nodiscard]] std::uint64_t phase_length() const;
    [[nodiscard]] std::uint64_t edge_after_load() const;
    [[nodiscard]] std::uint16_t counting_element() const;
    void count_written(std::uint16_t count);
    void take_new_count();
    void load();
    void advance_wave(std::uint64_t tick);
    void advance_periodic(std::uint64_t tick);
    void next_phase();
    void stop();

    std::uint64_t tick_ = 0;
    std::uint64_t rising_edges_ = 0;

    Mode mode_ = Mode::kInterruptOnTerminalCount;
    Access access_ = Access::kLowThenHigh;
    std::uint8_t control_ = 0;
    bool bcd_ = false;
    bool gate_ = true;
    bool null_count_ = true;

    bool write_high_next_ = false;
    bool read_high_next_ = false;
    std::uint8_t low_written_ = 0;
    std::optional<std::uint16_t> latched_count_;
    std::optional<std::uint8_t> latched_status_;

    std::optional<std::uint16_t> count_register_; ///< CR; none since the control word
    bool new_count_ = false;                      ///< CR waits to be loaded into CE
    std::optional<std::uint64_t> load_tick_;      ///< a load is due then
    bool loaded_ = false;                         ///< CE counts (or is held by GATE)
    std::uint32_t modulus_ = 0;
    std::uint64_t loaded_tick_ = 0;           ///< when CE last took its count; of a square wave, when its half began
    std::optional<std::uint64_t> frozen_at_; ///< ticks counted when GATE went low
    bool low_half_ = false;
    std::uint16_t held_element_ = 0; ///< what CE reads as while it is not loaded
};

} // namespace ringone::devices
