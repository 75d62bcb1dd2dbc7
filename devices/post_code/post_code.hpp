// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "devices/bus/register_block.hpp"

namespace ringone::devices {

/// The port where firmware shows its progress, and which Linux writes as a delay between accesses to slow devices.
class PostCode final : public ByteRegisterBlock {
public:
    [[nodiscard]] std::uint8_t read_byte(std::uint32_t) override { return code_; }
    void write_byte(std::uint32_t, std::uint8_t value) override { code_ = value; }

private:
    std::uint8_t code_ = 0;
};

} // namespace ringone::devices
