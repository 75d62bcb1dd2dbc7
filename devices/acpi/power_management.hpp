// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "devices/base/clock.hpp"
#include "devices/base/line.hpp"
#include "devices/bus/register_block.hpp"

#include <cstdint>

namespace ringone::devices {

/// ACPI fixed hardware (ACPI 1.0b, 4.7.3) in the PIIX4's arrangement (82371AB, 7.2): PM1a status, enable and control,
/// and the 24-bit PM timer. The machine is always in ACPI mode. Of the sleeping states only soft-off exists.
class PowerManagement final : public RegisterBlock {
public:
    static constexpr std::uint32_t kBytes = 64;
    static constexpr std::uint32_t kPm1Event = 0;
    static constexpr std::uint32_t kPm1EventBytes = 4;
    static constexpr std::uint32_t kPm1Control = 4;
    static constexpr std::uint32_t kPm1ControlBytes = 2;
    static constexpr std::uint32_t kPmTimer = 8;
    static constexpr std::uint32_t kPmTimerBytes = 4;

    /// SLP_TYP of soft-off; not 0, so that SLP_EN with a forgotten type does nothing.
    static constexpr std::uint8_t kSoftOffType = 5;

    static constexpr std::uint16_t kTimerStatus = 0x0001;
    static constexpr std::uint16_t kPowerButton = 0x0100;
    static constexpr std::uint16_t kSciEnable = 0x0001;
    static constexpr std::uint32_t kSleepTypeShift = 10;
    static constexpr std::uint16_t kSleepEnable = 0x2000;

    PowerManagement(const Clock& clock, Line& sci, Line& power_off);

    [[nodiscard]] std::uint32_t widest_access() const override { return sizeof(std::uint32_t); }
    [[nodiscard]] std::uint32_t read(std::uint32_t offset, std::uint32_t size) override;
    void write(std::uint32_t offset, std::uint32_t size, std::uint32_t value) override;

    /// The user asks the guest to shut down.
    void press_power_button();

    /// The timer's carry, while the guest wants its interrupt.
    [[nodiscard]] Deadline next_deadline_ns() const;
    void advance(std::uint64_t now_ns);

private:
    [[nodiscard]] std::uint32_t dword(std::uint32_t offset, std::uint64_t now_ns) const;
    void write_byte(std::uint32_t offset, std::uint8_t value);
    void update_sci();

    const Clock& clock_;
    Line& sci_;
    Line& power_off_;
    std::uint16_t status_ = 0;
    std::uint16_t enable_ = 0;
    std::uint16_t control_ = kSciEnable;
    std::uint64_t carries_ = 0; ///< toggles of the timer's top bit seen
};

} // namespace ringone::devices
