// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "devices/acpi/acpi_tables.hpp"

#include "devices/acpi/aml.hpp"
#include "devices/acpi/power_management.hpp"
#include "devices/base/bits.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <string_view>

namespace ringone::devices {

namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::string_view kOemId = "RING1 ";
constexpr std::string_view kOemTableId = "RINGONE ";
constexpr std::uint32_t kOemRevision = 1;
constexpr std::uint32_t kTableAlignment = 16;
constexpr std::uint32_t kFacsAlignment = 64;
constexpr std::uint32_t kFacsBytes = 64;
constexpr std::uint32_t kHeaderBytes = 36, kHeaderChecksum = 9;
constexpr std::uint32_t kRsdpBytes = 20, kRsdpChecksum = 8;
constexpr std::uint32_t kFadtBytes = 116;

/// FADT fields (ACPI 1.0b, table 5-5).
constexpr std::uint32_t kFirmwareControl = 36, kDsdt = 40, kSciInterrupt = 46, kPm1aEventBlock = 56,
                        kPm1aControlBlock = 64, kPmTimerBlock = 76, kPm1EventLength = 88,
                        kPm1ControlLength = 89, kPmTimerLength = 91, kC2Latency = 96, kC3Latency = 98,
                        kCentury = 108, kFlags = 112;
constexpr std::uint16_t kNoC2 = 101, kNoC3 = 1001; ///< microseconds: above these limits the state is absent
constexpr std::uint32_t kWbinvd = 1U << 0, kC1Supported = 1U << 2, kNoSleepButton = 1U << 5,
                        kRtcNotFixed = 1U << 6;

void store(Bytes& table, std::uint32_t offset, std::uint32_t value, std::uint32_t bytes) {
    for (std::uint32_t i = 0; i < bytes; ++i) {
        table[offset + i] = byte_of(value, i);
    }
}

void append(Bytes& table, std::string_view text) {
    table.insert(table.end(), text.begin(), text.end());
}

void append(Bytes& table, std::uint32_t value) {
    for (std::uint32_t i = 0; i < sizeof(value); ++i) {
        table.push_back(byte_of(value, i));
    }
}

/// Makes the bytes of a table sum to zero.
void set_checksum(Bytes& table, std::uint32_t offset) {
    table[offset] = 0;
    table[offset] = low_byte(0U - std::accumulate(table.begin(), table.end(), 0U));
}

Bytes description_table(std::string_view signature, std::uint8_t revision, const Bytes& body) {
    Bytes table;
    append(table, signature);
    append(table, static_cast<std::uint32_t>(kHeaderBytes + body.size()));
    table.push_back(revision);
    table.push_back(0); // checksum
    append(table, kOemId);
    append(table, kOemTableId);
    append(table, kOemRevision);
    append(table, std::string_view("RNG1")); // creator
    append(table, kOemRevision);
    table.insert(table.end(), body.begin(), body.end());
    set_checksum(table, kHeaderChecksum);
    return table;
}

Bytes dsdt(const AcpiPlatform& platform) {
    constexpr std::uint8_t kConfigurationPorts = 8;
    const std::uint16_t configuration = platform.pci_configuration_port;
    const auto soft_off = aml::integer(PowerManagement::kSoftOffType);
    const std::array s5{soft_off, soft_off, aml::integer(0), aml::integer(0)};
    const std::array resources{
        aml::bus_number_window(0, 0),
        aml::io_ports(configuration, kConfigurationPorts),
        aml::io_window(0, low_word(configuration - 1U)),
        aml::io_window(low_word(configuration + kConfigurationPorts), low_word(all_ones(2))),
        aml::memory_window(platform.pci_memory_first, platform.pci_memory_last),
        aml::end_of_resources(),
    };
    const std::array bridge{
        aml::name("_HID", aml::eisa_id("PNP0A03")),
        aml::name("_ADR", aml::integer(0)),
        aml::name("_UID", aml::integer(0)),
        aml::name("_CRS", aml::buffer(aml::concatenate(resources))),
    };
    const std::array root{
        aml::name("\\_S5_", aml::package(s5)),
        aml::scope("\\_SB_", aml::device("PCI0", aml::concatenate(bridge))),
    };
    return description_table("DSDT", 1, aml::concatenate(root));
}

Bytes fadt(const AcpiPlatform& platform, std::uint32_t facs_address, std::uint32_t dsdt_address) {
    Bytes table = description_table("FACP", 1, Bytes(kFadtBytes - kHeaderBytes));
    const std::uint32_t port = platform.power_management_port;
    store(table, kFirmwareControl, facs_address, 4);
    store(table, kDsdt, dsdt_address, 4);
    store(table, kSciInterrupt, platform.sci_irq, 2);
    store(table, kPm1aEventBlock, port + PowerManagement::kPm1Event, 4);
    store(table, kPm1aControlBlock, port + PowerManagement::kPm1Control, 4);
    store(table, kPmTimerBlock, port + PowerManagement::kPmTimer, 4);
    store(table, kPm1EventLength, PowerManagement::kPm1EventBytes, 1);
    store(table, kPm1ControlLength, PowerManagement::kPm1ControlBytes, 1);
    store(table, kPmTimerLength, PowerManagement::kPmTimerBytes, 1);
    store(table, kC2Latency, kNoC2, 2);
    store(table, kC3Latency, kNoC3, 2);
    store(table, kCentury, platform.cmos_century_index, 1);
    store(table, kFlags, kWbinvd | kC1Supported | kNoSleepButton | kRtcNotFixed, 4);
    set_checksum(table, kHeaderChecksum);
    return table;
}

Bytes facs() {
    Bytes table;
    append(table, std::string_view("FACS"));
    append(table, kFacsBytes);
    table.resize(kFacsBytes);
    return table;
}

Bytes rsdp(std::uint32_t rsdt_address) {
    Bytes table;
    append(table, std::string_view("RSD PTR "));
    table.push_back(0); // checksum
    append(table, kOemId);
    table.push_back(0); // revision: ACPI 1.0
    append(table, rsdt_address);
    set_checksum(table, kRsdpChecksum);
    return table;
}

/// Appends the table at the next aligned place; returns its guest-physical address.
std::uint32_t place(Bytes& image, std::uint32_t base, const Bytes& table, std::uint32_t alignment) {
    image.resize((image.size() + alignment - 1) / alignment * alignment);
    const auto address = base + static_cast<std::uint32_t>(image.size());
    image.insert(image.end(), table.begin(), table.end());
    return address;
}

} // namespace

std::vector<std::uint8_t> build_acpi_tables(const AcpiPlatform& platform) {
    const std::uint32_t base = platform.tables_address;
    Bytes image(kRsdpBytes); // the RSDP is known only at the end
    const std::uint32_t facs_address = place(image, base, facs(), kFacsAlignment);
    const std::uint32_t dsdt_address = place(image, base, dsdt(platform), kTableAlignment);
    const std::uint32_t fadt_address =
        place(image, base, fadt(platform, facs_address, dsdt_address), kTableAlignment);
    Bytes entries;
    append(entries, fadt_address);
    const std::uint32_t rsdt_address =
        place(image, base, description_table("RSDT", 1, entries), kTableAlignment);
    const Bytes pointer = rsdp(rsdt_address);
    std::copy(pointer.begin(), pointer.end(), image.begin());
    return image;
}

} // namespace ringone::devices
