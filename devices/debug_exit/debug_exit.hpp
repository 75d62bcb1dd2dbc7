// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "devices/bus/register_block.hpp"

#include <optional>

namespace ringone::devices {

/// A port by which a test guest ends the machine: the value written is the exit code, whole and unchanged.
class DebugExit final : public RegisterBlock {
public:
    [[nodiscard]] std::uint32_t widest_access() const override { return sizeof(std::uint32_t); }
    [[nodiscard]] std::uint32_t read(std::uint32_t, std::uint32_t) override { return 0; }
    void write(std::uint32_t, std::uint32_t, std::uint32_t value) override {
        if (!exit_code_) { // the first one counts
            exit_code_ = value;
        }
    }

    [[nodiscard]] std::optional<std::uint32_t> exit_code() const { return exit_code_; }

private:
    std::optional<std::uint32_t> exit_code_;
};

} // namespace ringone::devices
