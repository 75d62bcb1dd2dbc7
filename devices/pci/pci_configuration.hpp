// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "devices/bus/register_block.hpp"
#include "devices/pci/pci_function.hpp"

#include <array>
#include <cstdint>

namespace ringone::devices {

/// PCI configuration mechanism 1 (PCI Local Bus 2.1, 3.7.4.1), for bus 0. CONFADD answers to whole dwords only; the
/// bytes of its address fall through to `beneath`, so that the reset control register can live at offset 1.
class PciConfiguration {
public:
    static constexpr std::uint32_t kDevices = 32;
    static constexpr std::uint32_t kFunctions = 8;

    explicit PciConfiguration(RegisterBlock& beneath) : address_(beneath), data_(*this) {}
    PciConfiguration(const PciConfiguration&) = delete;
    PciConfiguration& operator=(const PciConfiguration&) = delete;

    /// The function must outlive this. One that sat there is replaced.
    void plug(std::uint32_t device, std::uint32_t function, PciFunction& config) {
        slots_[slot(device, function)] = &config;
    }

    [[nodiscard]] RegisterBlock& address_register() { return address_; }
    [[nodiscard]] RegisterBlock& data_register() { return data_; }

private:
    class Address final : public RegisterBlock {
    public:
        explicit Address(RegisterBlock& beneath) : beneath_(beneath) {}
        [[nodiscard]] std::uint32_t widest_access() const override { return sizeof(std::uint32_t); }
        [[nodiscard]] std::uint32_t read(std::uint32_t offset, std::uint32_t size) override;
        void write(std::uint32_t offset, std::uint32_t size, std::uint32_t value) override;
        [[nodiscard]] std::uint32_t value() const { return value_; }

    private:
        RegisterBlock& beneath_;
        std::uint32_t value_ = 0;
    };

    class Data final : public ByteRegisterBlock {
    public:
        explicit Data(PciConfiguration& owner) : owner_(owner) {}
        [[nodiscard]] std::uint8_t read_byte(std::uint32_t offset) override;
        void write_byte(std::uint32_t offset, std::uint8_t value) override;

    private:
        PciConfiguration& owner_;
    };

    [[nodiscard]] static constexpr std::uint32_t slot(std::uint32_t device, std::uint32_t function) {
        return device % kDevices * kFunctions + function % kFunctions;
    }
    /// The function CONFADD names; null: none is there.
    [[nodiscard]] PciFunction* selected() const;
    [[nodiscard]] std::uint32_t register_offset(std::uint32_t byte) const;

    Address address_;
    Data data_;
    std::array<PciFunction*, kDevices * kFunctions> slots_{};
};

} // namespace ringone::devices
