// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "vmm/launcher/boot_memory.hpp"

#include "devices/platform/pc_layout.hpp"
#include "vmm/launcher/exit_status.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace ringone::launcher {
namespace {

constexpr std::uint64_t kBiosDataEnd = 0x500; ///< interrupt vectors and BIOS data area (IBM PC/AT)
constexpr std::uint64_t kVideoBegin = 0xA0000;

constexpr std::uint64_t align_down(std::uint64_t value, std::uint64_t alignment) {
    return value & ~(alignment - 1);
}
constexpr std::uint64_t align_up(std::uint64_t value, std::uint64_t alignment) {
    return align_down(value + alignment - 1, alignment);
}

} // namespace

BootMemory::BootMemory(std::span<std::uint8_t> ram) : ram_(ram) {
    take(0, kBiosDataEnd, "the BIOS data area");
    take(kConventionalEnd, kOneMiB - kConventionalEnd, "the firmware's addresses below 1 MiB");
}

const BootMemory::Taken* BootMemory::overlap(std::uint64_t begin, std::uint64_t end) const {
    const auto found =
        std::ranges::find_if(taken_, [&](const Taken& t) { return begin < t.end && t.begin < end; });
    return found == taken_.end() ? nullptr : &*found;
}

void BootMemory::take(std::uint64_t address, std::uint64_t bytes, const std::string& what) {
    if (bytes == 0) return;
    if (address > this->bytes() || bytes > this->bytes() - address)
        throw UserError(
            fmt::format("{} ({:#x} bytes at {:#x}) does not fit in {} MiB of memory: give more with -m", what,
                        bytes, address, this->bytes() >> 20U));
    if (const Taken* other = overlap(address, address + bytes))
        throw UserError(
            fmt::format("{} ({:#x} bytes at {:#x}) lies over {}", what, bytes, address, other->what));
    taken_.push_back({address, address + bytes, what});
}

std::optional<std::uint32_t> BootMemory::find_lowest(std::uint64_t bytes, std::uint64_t alignment,
                                                     std::uint64_t from, std::uint64_t below) const {
    below = std::min(below, this->bytes());
    std::uint64_t at = align_up(from, alignment);
    while (at <= below && bytes <= below - at) {
        const Taken* other = overlap(at, at + bytes);
        if (other == nullptr) return static_cast<std::uint32_t>(at);
        at = align_up(other->end, alignment);
    }
    return {};
}

std::optional<std::uint32_t> BootMemory::find_highest(std::uint64_t bytes, std::uint64_t alignment,
                                                      std::uint64_t from, std::uint64_t below) const {
    std::uint64_t end = std::min(below, this->bytes());
    while (end >= bytes && align_down(end - bytes, alignment) >= from) {
        const std::uint64_t at = align_down(end - bytes, alignment);
        const Taken* other = overlap(at, at + bytes);
        if (other == nullptr) return static_cast<std::uint32_t>(at);
        end = other->begin;
    }
    return {};
}

void BootMemory::write(std::uint32_t address, std::span<const std::uint8_t> bytes) {
    const auto to = ram_.subspan(address, bytes.size());
    std::ranges::copy(bytes, to.begin());
}

std::uint32_t BootMemory::place_low(std::span<const std::uint8_t> bytes, const std::string& what) {
    constexpr std::uint64_t kAlignment = 16;
    const auto at = find_lowest(bytes.size(), kAlignment, kBiosDataEnd, kConventionalEnd);
    if (!at) throw UserError(fmt::format("the kernel leaves no room below 640 KiB for {}", what));
    take(*at, bytes.size(), what);
    write(*at, bytes);
    return *at;
}

std::vector<MemoryRange> BootMemory::map() const {
    return {
        {0, kConventionalEnd, MemoryRange::kUsable},
        {kConventionalEnd, kVideoBegin - kConventionalEnd, MemoryRange::kReserved},
        {devices::pc::kFirmwareFirst, kOneMiB - devices::pc::kFirmwareFirst, MemoryRange::kReserved},
        {kOneMiB, bytes() - kOneMiB, MemoryRange::kUsable},
    };
}

std::vector<std::uint8_t> c_string(const std::string& text) {
    std::vector<std::uint8_t> bytes(text.begin(), text.end());
    bytes.push_back(0);
    return bytes;
}

} // namespace ringone::launcher
