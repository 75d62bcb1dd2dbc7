// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "devices/bus/register_block.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ringone::devices {

struct BusCounters {
    std::uint64_t unclaimed_reads, unclaimed_writes;
};

/// An address space of devices: the 64 KiB of I/O ports, or guest-physical addresses outside RAM. An access that no
/// single region takes whole is split into halves down to bytes, low address first, as a PC's bus controller does.
/// Bytes nobody claims read as ones; writes to them vanish; both are counted (a byte each).
class Bus {
public:
    static constexpr std::uint64_t kPortSpaceBytes = 0x1'0000;
    static constexpr std::uint64_t kPhysicalSpaceBytes = 0x1'0000'0000;

    explicit Bus(std::uint64_t space_bytes) : space_bytes_(space_bytes) {}

    /// Puts `block`, from its register `first_register` on, at [first, first + bytes). It must outlive the bus. Returns
    /// what is wrong, naming both regions, when the range is empty, leaves the space or overlaps another region;
    /// nothing is attached then.
    [[nodiscard]] std::optional<std::string> attach(std::string name, std::uint64_t first, std::uint64_t bytes,
                                                    RegisterBlock& block, std::uint32_t first_register = 0);

    /// `size` is 1, 2 or 4 bytes; any alignment.
    [[nodiscard]] std::uint32_t read(std::uint64_t address, std::uint32_t size);
    void write(std::uint64_t address, std::uint32_t size, std::uint32_t value);

    [[nodiscard]] bool claimed(std::uint64_t address) const { return find(address) != nullptr; }
    [[nodiscard]] const BusCounters& counters() const { return counters_; }

private:
    struct Region {
        std::uint64_t first;
        std::uint64_t end;
        std::string name;
        RegisterBlock* block;
        std::uint32_t first_register;

        [[nodiscard]] std::uint32_t offset(std::uint64_t address) const {
            return first_register + static_cast<std::uint32_t>(address - first);
        }
    };

    [[nodiscard]] const Region* find(std::uint64_t address) const;
    [[nodiscard]] static bool takes_whole(const Region& region, std::uint64_t address, std::uint32_t size);

    std::uint64_t space_bytes_;
    std::vector<Region> regions_; ///< by address, disjoint
    BusCounters counters_{};
};

} // namespace ringone::devices
