// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "devices/base/clock.hpp"
#include "devices/bus/register_block.hpp"
#include "devices/i8254/i8254.hpp"

namespace ringone::devices {

/// System control port B, "NMI status and control" (82371AB, 4.2.4): counter 2's gate and output, the speaker, the
/// refresh request toggle that old software times by. No NMI source exists, so their status bits stay 0.
class SystemControlPortB final : public ByteRegisterBlock {
public:
    SystemControlPortB(const Clock& clock, I8254& timer) : clock_(clock), timer_(timer) {}

    [[nodiscard]] std::uint8_t read_byte(std::uint32_t offset) override;
    void write_byte(std::uint32_t offset, std::uint8_t value) override;

    /// Is the speaker driven by counter 2?
    [[nodiscard]] bool speaker_enabled() const;

private:
    const Clock& clock_;
    I8254& timer_;
    std::uint8_t control_ = 0; ///< the writable bits
};

} // namespace ringone::devices
