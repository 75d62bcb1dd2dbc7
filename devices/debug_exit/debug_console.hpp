// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "devices/base/byte_stream.hpp"
#include "devices/bus/register_block.hpp"

namespace ringone::devices {

/// A port to which guests print without set-up (port 0xE9 by Bochs' convention: it reads as its own number).
class DebugConsole final : public ByteRegisterBlock {
public:
    static constexpr std::uint8_t kSignature = 0xE9;

    explicit DebugConsole(ByteSink& sink) : sink_(sink) {}

    [[nodiscard]] std::uint8_t read_byte(std::uint32_t) override { return kSignature; }
    void write_byte(std::uint32_t, std::uint8_t value) override {
        // The port has no way to say "wait": what the sink cannot take is lost, and counted.
        lost_ += sink_.put(value) ? 0 : 1;
    }

    [[nodiscard]] std::uint64_t lost() const { return lost_; }

private:
    ByteSink& sink_;
    std::uint64_t lost_ = 0;
};

} // namespace ringone::devices
