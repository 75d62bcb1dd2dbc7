// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "devices/base/bits.hpp"

#include <cstdint>

namespace ringone::devices {

/// The registers of a device as the bus sees them: it knows offsets, never its address.
class RegisterBlock {
public:
    /// The widest access in bytes (1, 2 or 4) the device decodes; the bus splits wider ones.
    [[nodiscard]] virtual std::uint32_t widest_access() const = 0;
    /// Reads have side effects on many devices. `size` is 1, 2 or 4, at most widest_access().
    [[nodiscard]] virtual std::uint32_t read(std::uint32_t offset, std::uint32_t size) = 0;
    virtual void write(std::uint32_t offset, std::uint32_t size, std::uint32_t value) = 0;

protected:
    ~RegisterBlock() = default;
};

/// A device on an eight-bit data bus.
class ByteRegisterBlock : public RegisterBlock {
public:
    [[nodiscard]] std::uint32_t widest_access() const final { return 1; }
    [[nodiscard]] std::uint32_t read(std::uint32_t offset, std::uint32_t) final { return read_byte(offset); }
    void write(std::uint32_t offset, std::uint32_t, std::uint32_t value) final {
        write_byte(offset, low_byte(value));
    }

    [[nodiscard]] virtual std::uint8_t read_byte(std::uint32_t offset) = 0;
    virtual void write_byte(std::uint32_t offset, std::uint8_t value) = 0;

protected:
    ~ByteRegisterBlock() = default;
};

} // namespace ringone::devices
