// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "devices/pci/pci_configuration.hpp"

namespace ringone::devices {

namespace {

constexpr std::uint32_t kConfigEnable = 0x8000'0000;
constexpr std::uint32_t kImplemented = 0x80FF'FFFC; ///< the reserved bits read as zero
constexpr std::uint32_t kBusShift = 16;
constexpr std::uint32_t kBusMask = 0xFF;
constexpr std::uint32_t kDeviceShift = 11;
constexpr std::uint32_t kFunctionShift = 8;
constexpr std::uint32_t kRegisterMask = 0xFC;

} // namespace

std::uint32_t PciConfiguration::Address::read(std::uint32_t offset, std::uint32_t size) {
    if (size == sizeof(std::uint32_t)) {
        return value_;
    }
    std::uint32_t value = 0;
    for (std::uint32_t i = 0; i < size; ++i) {
        value |= beneath_.read(offset + i, 1) << (8U * i);
    }
    return value;
}

void PciConfiguration::Address::write(std::uint32_t offset, std::uint32_t size, std::uint32_t value) {
    if (size == sizeof(std::uint32_t)) {
        value_ = value & kImplemented;
        return;
    }
    for (std::uint32_t i = 0; i < size; ++i) {
        beneath_.write(offset + i, 1, byte_of(value, i));
    }
}

PciFunction* PciConfiguration::selected() const {
    const std::uint32_t address = address_.value();
    if ((address & kConfigEnable) == 0 || (address >> kBusShift & kBusMask) != 0) {
        return nullptr;
    }
    return slots_[slot(address >> kDeviceShift, address >> kFunctionShift)];
}

std::uint32_t PciConfiguration::register_offset(std::uint32_t byte) const {
    return (address_.value() & kRegisterMask) | (byte & ~kRegisterMask);
}

std::uint8_t PciConfiguration::Data::read_byte(std::uint32_t offset) {
    const PciFunction* function = owner_.selected();
    return function != nullptr ? function->read(owner_.register_offset(offset)) : low_byte(all_ones(1));
}

void PciConfiguration::Data::write_byte(std::uint32_t offset, std::uint8_t value) {
    if (PciFunction* function = owner_.selected()) {
        function->write(owner_.register_offset(offset), value);
    }
}

} // namespace ringone::devices
