// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "tests/protection/zone_guard.hpp"

#include <cstdio>
#include <cstring>

namespace ringone::tests {
namespace {

using translator::GsArea;

constexpr std::uint32_t kPage = 4096;
constexpr std::uint32_t kGsBytes = (sizeof(GsArea) + kPage - 1) / kPage * kPage;

/// Slots that fragments fill with the guest's registers, targets and operands.
bool holds_guest_values(std::uint32_t offset) {
    return offset < offsetof(GsArea, virtual_if) ||
           (offset >= offsetof(GsArea, temporary) && offset < offsetof(GsArea, guest_selectors)) ||
           (offset >= offsetof(GsArea, scratch) && offset < offsetof(GsArea, return_cache));
}

} // namespace

ZoneGuard::ZoneGuard(vmm::ProcessWorld& world) : world_(world), gate_(gate()) {}

std::vector<std::uint8_t> ZoneGuard::gate() const {
    const std::uint8_t* page = world_.zone_memory() + kGsBytes;
    return {page, page + kPage};
}

std::string ZoneGuard::damage() const {
    if (gate() != gate_) return "the exit gate's page has changed";
    const std::uint8_t* zone = world_.zone_memory();
    for (std::uint32_t at = 0; at + sizeof kMagic <= world_.zone_bytes(); ++at) {
        if (zone[at] != (kMagic & 0xFF) || std::memcmp(zone + at, &kMagic, sizeof kMagic) != 0) continue;
        if (holds_guest_values(at)) continue;
        char text[80];
        std::snprintf(text, sizeof text, "the guest's pattern at offset %#x of the zone", at);
        return text;
    }
    return {};
}

} // namespace ringone::tests
