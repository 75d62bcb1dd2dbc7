// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "devices/base/line.hpp"
#include "devices/bus/register_block.hpp"

#include <cstdint>
#include <optional>

namespace ringone::devices {

/// One 8259A programmable interrupt controller (Intel 231468). Register 0: ICW1, OCW2, OCW3 / IRR, ISR, poll word;
/// register 1: ICW2-4, OCW1 / IMR. In a PC the trigger mode comes from the ELCR, not from ICW1.LTIM (82371AB, 4.2.5).
class I8259Chip final : public ByteRegisterBlock {
public:
    static constexpr unsigned kInputs = 8;
    /// The level that an acknowledge cycle without a request gives.
    static constexpr std::uint8_t kSpuriousLevel = 7;

    struct Acknowledged {
        std::uint8_t level;
        bool spurious; ///< nothing was put in service
    };

    /// `following` inputs (the cascade) request for as long as they are high, whatever the ELCR says.
    I8259Chip(Line& int_output, std::uint8_t following) : int_output_(int_output), following_(following) {}

    void set_input(unsigned ir, bool high);
    /// ELCR: one bits are level-triggered.
    void set_level_triggered(std::uint8_t mask);

    [[nodiscard]] bool request_pending(unsigned ir) const { return (irr() >> ir & 1U) != 0; }
    [[nodiscard]] bool masked(unsigned ir) const { return (imr_ >> ir & 1U) != 0; }

    /// The two INTA cycles: takes the request of highest priority into service.
    [[nodiscard]] Acknowledged acknowledge();
    [[nodiscard]] std::uint8_t vector(std::uint8_t level) const { return low_byte(vector_base_ | level); }

    [[nodiscard]] std::uint8_t read_byte(std::uint32_t offset) override;
    void write_byte(std::uint32_t offset, std::uint8_t value) override;

private:
    /// Which word the next write to register 1 is.
    enum class Expects : std::uint8_t { kReset, kIcw2, kIcw3, kIcw4, kOcw1 };

    [[nodiscard]] std::uint8_t irr() const;
    [[nodiscard]] std::optional<std::uint8_t> highest_request() const;
    [[nodiscard]] std::uint8_t by_priority(unsigned rank) const;
    void write_icw1(std::uint8_t value);
    void write_ocw2(std::uint8_t value);
    void write_ocw3(std::uint8_t value);
    void end_of_interrupt(std::uint8_t level, bool rotate);
    void non_specific_end_of_interrupt(bool rotate);
    void update_int();

    Line& int_output_;
    std::uint8_t following_;
    std::uint8_t level_triggered_ = 0;
    std::uint8_t inputs_ = 0;  ///< the IR pins
    std::uint8_t latched_ = 0; ///< the edge-sense latches
    std::uint8_t imr_ = 0;
    std::uint8_t isr_ = 0;
    std::uint8_t vector_base_ = 0;
    std::uint8_t lowest_priority_ = kSpuriousLevel;
    Expects expects_ = Expects::kReset;
    bool single_ = false;
    bool icw4_follows_ = false;
    bool auto_eoi_ = false;
    bool rotate_in_auto_eoi_ = false;
    bool special_fully_nested_ = false;
    bool special_mask_ = false;
    bool read_isr_ = false;
    bool poll_ = false;
    bool int_ = false;
};

} // namespace ringone::devices
