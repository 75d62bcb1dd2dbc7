// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "devices/bus/bus.hpp"

#include <algorithm>
#include <utility>

namespace ringone::devices {

namespace {

std::string hexadecimal(std::uint64_t value) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text;
    do {
        text.insert(text.begin(), kDigits[value % kDigits.size()]);
        value /= kDigits.size();
    } while (value != 0);
    return "0x" + text;
}

std::string describe(const std::string& name, std::uint64_t first, std::uint64_t bytes) {
    return name + " at " + hexadecimal(first) + " (" + hexadecimal(bytes) + " bytes)";
}

} // namespace

std::optional<std::string> Bus::attach(std::string name, std::uint64_t first, std::uint64_t bytes,
                                       RegisterBlock& block, std::uint32_t first_register) {
    if (bytes == 0 || first >= space_bytes_ || bytes > space_bytes_ - first) {
        return describe(name, first, bytes) + " is empty or leaves the address space";
    }
    const auto next = std::find_if(regions_.begin(), regions_.end(),
                                   [&](const Region& region) { return region.end > first; });
    if (next != regions_.end() && next->first < first + bytes) {
        return describe(name, first, bytes) + " overlaps " +
               describe(next->name, next->first, next->end - next->first);
    }
    regions_.insert(next, Region{first, first + bytes, std::move(name), &block, first_register});
    return std::nullopt;
}

const Bus::Region* Bus::find(std::uint64_t address) const {
    const auto next = std::upper_bound(regions_.begin(), regions_.end(), address,
                                       [](std::uint64_t at, const Region& region) { return at < region.end; });
    return next != regions_.end() && next->first <= address ? &*next : nullptr;
}

bool Bus::takes_whole(const Region& region, std::uint64_t address, std::uint32_t size) {
    return size <= region.block->widest_access() && size <= region.end - address;
}

std::uint32_t Bus::read(std::uint64_t address, std::uint32_t size) {
    const Region* region = find(address);
    if (region != nullptr && takes_whole(*region, address, size)) {
        return region->block->read(region->offset(address), size) & all_ones(size);
    }
    if (size == 1) {
        ++counters_.unclaimed_reads;
        return all_ones(size);
    }
    const std::uint32_t half = size / 2;
    const std::uint32_t low = read(address, half);
    return low | read(address + half, half) << (8U * half);
}

void Bus::write(std::uint64_t address, std::uint32_t size, std::uint32_t value) {
    const Region* region = find(address);
    if (region != nullptr && takes_whole(*region, address, size)) {
        region->block->write(region->offset(address), size, value & all_ones(size));
        return;
    }
    if (size == 1) {
        ++counters_.unclaimed_writes;
        return;
    }
    const std::uint32_t half = size / 2;
    write(address, half, value & all_ones(half));
    write(address + half, half, value >> (8U * half));
}

} // namespace ringone::devices
