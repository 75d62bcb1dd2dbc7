// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "devices/bus/register_block.hpp"
#include "devices/i8254/i8254_counter.hpp"
#include "devices/i8254/tick_line.hpp"

#include <array>

namespace ringone::devices {

/// The 8254 programmable interval timer (Intel 231164), as wired in a PC: counter 0 drives IRQ 0, counter 2 is gated
/// by port 0x61, GATE of 0 and 1 is tied high. Registers 0-2: the counters, 3: control word.
class I8254 final : public ByteRegisterBlock {
public:
    static constexpr std::uint32_t kCounters = 3;
    static constexpr std::uint32_t kSpeakerCounter = 2;

    I8254(const Clock& clock, InterruptInput& irq0);

    [[nodiscard]] std::uint8_t read_byte(std::uint32_t offset) override;
    void write_byte(std::uint32_t offset, std::uint8_t value) override;

    void set_speaker_gate(bool high);
    [[nodiscard]] bool speaker_gate() const { return counters_[kSpeakerCounter].gate(); }
    [[nodiscard]] bool speaker_out();

    [[nodiscard]] Deadline next_deadline_ns() const;
    void advance(std::uint64_t now_ns);
    [[nodiscard]] const TickLine& tick_line() const { return tick_line_; }

private:
    [[nodiscard]] std::uint64_t tick() const;
    void read_back(std::uint8_t command);
    void drive_ticks(std::uint64_t now_ns);

    const Clock& clock_;
    TickLine tick_line_;
    std::array<I8254Counter, kCounters> counters_{};
};

} // namespace ringone::devices
