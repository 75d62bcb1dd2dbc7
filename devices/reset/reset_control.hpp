// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "devices/base/line.hpp"
#include "devices/bus/register_block.hpp"

namespace ringone::devices {

/// Reset control register (82371AB, 4.2.7; port 0xCF9 in a PC): the rising edge of RCPU resets, hard or soft alike here.
class ResetControl final : public ByteRegisterBlock {
public:
    explicit ResetControl(Line& reset) : reset_(reset) {}

    [[nodiscard]] std::uint8_t read_byte(std::uint32_t offset) override;
    void write_byte(std::uint32_t offset, std::uint8_t value) override;

private:
    Line& reset_;
    std::uint8_t value_ = 0;
};

/// System control port A (82371AB, 4.2.6; port 0x92 in a PC): fast A20 and fast reset.
class SystemControlPortA final : public ByteRegisterBlock {
public:
    /// A20 starts enabled, as after firmware.
    SystemControlPortA(Line& reset, Line& a20);

    [[nodiscard]] std::uint8_t read_byte(std::uint32_t offset) override;
    void write_byte(std::uint32_t offset, std::uint8_t value) override;

private:
    Line& reset_;
    Line& a20_;
    std::uint8_t value_;
};

} // namespace ringone::devices
