// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "devices/pci/pci_function.hpp"

#include "devices/base/bits.hpp"

namespace ringone::devices {

namespace {

constexpr std::uint32_t kVendorId = 0x00;
constexpr std::uint32_t kDeviceId = 0x02;
constexpr std::uint32_t kCommand = 0x04;
constexpr std::uint32_t kStatusHigh = 0x07;
constexpr std::uint32_t kRevisionId = 0x08;
constexpr std::uint32_t kClassCode = 0x09;
constexpr std::uint32_t kClassCodeBytes = 3;
constexpr std::uint32_t kHeaderType = 0x0E;

constexpr std::uint8_t kIoAndMemoryAndMaster = 0x07;
constexpr std::uint8_t kMediumDevsel = 0x02;
constexpr std::uint8_t kMultifunction = 0x80;

} // namespace

PciFunction::PciFunction(const PciIdentity& identity) {
    for (std::uint32_t i = 0; i < 2; ++i) {
        set_byte(kVendorId + i, byte_of(identity.vendor, i));
        set_byte(kDeviceId + i, byte_of(identity.device, i));
    }
    set_byte(kCommand, kIoAndMemoryAndMaster);
    set_byte(kStatusHigh, kMediumDevsel);
    set_byte(kRevisionId, identity.revision);
    for (std::uint32_t i = 0; i < kClassCodeBytes; ++i) {
        set_byte(kClassCode + i, byte_of(identity.class_code, i));
    }
    set_byte(kHeaderType, identity.multifunction ? kMultifunction : std::uint8_t{0});
    set_byte(kInterruptLine, 0, low_byte(all_ones(1)));
}

void PciFunction::set_byte(std::uint32_t offset, std::uint8_t value, std::uint8_t writable) {
    bytes_[offset % kConfigBytes] = value;
    writable_[offset % kConfigBytes] = writable;
}

void PciFunction::write(std::uint32_t offset, std::uint8_t value) {
    const std::uint32_t at = offset % kConfigBytes;
    const std::uint32_t writable = writable_[at];
    bytes_[at] = low_byte((bytes_[at] & ~writable) | (value & writable));
}

} // namespace ringone::devices
