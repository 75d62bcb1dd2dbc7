// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "devices/i8259/i8259_chip.hpp"

#include <array>
#include <cstdint>

namespace ringone::devices {

/// The two 8259As of a PC: the slave's INT drives IR2 of the master, whose INT drives the CPU's INTR.
class I8259Pair {
public:
    static constexpr unsigned kInputs = 16;
    static constexpr unsigned kCascadeInput = 2;

    explicit I8259Pair(Line& intr);
    I8259Pair(const I8259Pair&) = delete;
    I8259Pair& operator=(const I8259Pair&) = delete;

    /// IRQ 0 to 15. IRQ 2 is the cascade: driving it has no effect.
    [[nodiscard]] InterruptInput& input(unsigned irq) { return inputs_[irq % kInputs]; }

    /// The CPU's interrupt acknowledge: the vector, that of IR7 of the chip asked when the request has gone.
    [[nodiscard]] std::uint8_t acknowledge();

    [[nodiscard]] RegisterBlock& master() { return master_; }
    [[nodiscard]] RegisterBlock& slave() { return slave_; }
    /// Edge/level control registers: offset 0 IRQ 0-7, offset 1 IRQ 8-15 (82371AB, 4.2.5).
    [[nodiscard]] RegisterBlock& elcr() { return elcr_; }

    /// Acknowledge cycles that found no request.
    [[nodiscard]] std::uint64_t spurious() const { return spurious_; }

private:
    class CascadeLine final : public Line {
    public:
        explicit CascadeLine(I8259Chip& master) : master_(master) {}
        void set_level(bool high) override { master_.set_input(kCascadeInput, high); }

    private:
        I8259Chip& master_;
    };

    class Input final : public InterruptInput {
    public:
        void connect(I8259Chip& chip, unsigned ir) {
            chip_ = &chip;
            ir_ = ir;
        }
        void set_level(bool high) override;
        [[nodiscard]] bool request_pending() const override;
        [[nodiscard]] bool masked() const override;

    private:
        I8259Chip* chip_ = nullptr; ///< null at the cascade
        unsigned ir_ = 0;
    };

    class Elcr final : public ByteRegisterBlock {
    public:
        Elcr(I8259Chip& master, I8259Chip& slave) : chips_{&master, &slave} {}
        [[nodiscard]] std::uint8_t read_byte(std::uint32_t offset) override;
        void write_byte(std::uint32_t offset, std::uint8_t value) override;

    private:
        std::array<I8259Chip*, 2> chips_;
        std::array<std::uint8_t, 2> values_{};
    };

    I8259Chip master_;
    CascadeLine cascade_;
    I8259Chip slave_;
    Elcr elcr_;
    std::array<Input, kInputs> inputs_{};
    std::uint64_t spurious_ = 0;
};

} // namespace ringone::devices
