// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include <array>
#include <cstdint>

namespace ringone::devices {

struct PciIdentity {
    std::uint16_t vendor, device;
    std::uint8_t revision;
    std::uint32_t class_code; ///< base class, sub-class, programming interface: 24 bits
    bool multifunction;       ///< the device has further functions
};

/// The configuration space of one PCI function (PCI Local Bus 2.1, 6.1) that decodes no addresses of its own: no base
/// address registers. Of the header software may write the interrupt line only; it is a scratch byte.
class PciFunction {
public:
    static constexpr std::uint32_t kConfigBytes = 256;
    static constexpr std::uint32_t kInterruptLine = 0x3C;

    explicit PciFunction(const PciIdentity& identity);

    /// The device's own hand: what a byte holds, and which of its bits software may change.
    void set_byte(std::uint32_t offset, std::uint8_t value, std::uint8_t writable = 0);

    [[nodiscard]] std::uint8_t read(std::uint32_t offset) const { return bytes_[offset % kConfigBytes]; }
    void write(std::uint32_t offset, std::uint8_t value);

private:
    std::array<std::uint8_t, kConfigBytes> bytes_{};
    std::array<std::uint8_t, kConfigBytes> writable_{};
};

} // namespace ringone::devices
