// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include <cstdint>
#include <vector>

namespace ringone::devices {

/// Where the platform has what the tables speak of.
struct AcpiPlatform {
    std::uint32_t tables_address; ///< guest-physical, 64-byte aligned; Linux looks in 0xE0000-0xFFFFF
    std::uint16_t power_management_port; ///< of PowerManagement's register 0
    std::uint8_t sci_irq;
    std::uint8_t cmos_century_index;
    std::uint16_t pci_configuration_port;
    std::uint32_t pci_memory_first, pci_memory_last; ///< for devices; both included
};

/// RSDP, RSDT, FADT, FACS and DSDT (ACPI 1.0b, chapter 5), as one image for `tables_address`, RSDP first. No MADT: the
/// platform has no APIC. The FACS in it is the guest's to write.
[[nodiscard]] std::vector<std::uint8_t> build_acpi_tables(const AcpiPlatform& platform);

} // namespace ringone::devices
