// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "vmm/monitor/breakpoints.hpp"

namespace ringone::vmm {
namespace {

constexpr unsigned kControlShift = 16; ///< DR7: R/Wn and LENn, four bits a breakpoint

enum Kind : std::uint32_t { kExecute = 0, kWrite = 1, kPort = 2, kReadWrite = 3 };

/// Bytes of LENn; they begin at an address that is a multiple of their number.
constexpr std::uint32_t kLengths[] = {1, 2, 8, 4};

} // namespace

std::uint32_t Breakpoints::kind(std::uint32_t point) const { return control_ >> (kControlShift + 4 * point) & 3U; }

std::uint32_t Breakpoints::bytes(std::uint32_t point) const {
    return kLengths[control_ >> (kControlShift + 4 * point + 2) & 3U];
}

void Breakpoints::load(const VCpu& vcpu) {
    std::copy_n(vcpu.dr.begin(), kPoints, addresses_);
    control_ = vcpu.dr[7];
    port_breakpoints_ = (vcpu.cr4 & cr4::kDe) != 0;
    execution_ = data_ = ports_ = 0;
    for (std::uint32_t i = 0; i < kPoints; ++i) {
        const bool enabled = (control_ >> (2 * i) & 3U) != 0; // Ln, Gn
        if (!enabled) continue;
        switch (kind(i)) {
        case kExecute: execution_ |= 1U << i; break;
        case kPort: ports_ |= port_breakpoints_ ? 1U << i : 0U; break;
        default: data_ |= 1U << i; break;
        }
    }
}

/// Does the access overlap the breakpoint's bytes? Both may wrap at 4 GiB.
bool Breakpoints::meets(std::uint32_t point, std::uint32_t first, std::uint32_t count) const {
    const std::uint32_t own = bytes(point);
    const std::uint32_t begin = addresses_[point] & ~(own - 1U);
    return begin - first < count || first - begin < own;
}

std::uint32_t Breakpoints::execution_hits(std::uint32_t linear) const {
    std::uint32_t hit = 0;
    for (std::uint32_t i = 0; i < kPoints; ++i)
        if ((execution_ >> i & 1U) != 0 && addresses_[i] == linear) hit |= 1U << i;
    return hit;
}

bool Breakpoints::page_watched(std::uint32_t linear_page, AccessType type) const {
    for (std::uint32_t i = 0; i < kPoints; ++i) {
        const bool wanted = kind(i) == kReadWrite || type == AccessType::write;
        if ((data_ >> i & 1U) != 0 && addresses_[i] / kPage == linear_page && wanted) return true;
    }
    return false;
}

std::uint32_t Breakpoints::next_watched_page(std::uint32_t page, std::uint32_t end) const {
    std::uint32_t next = end;
    for_each_watched_page([&](std::uint32_t watched) {
        if (watched >= page && watched < next) next = watched;
    });
    return next;
}

std::uint32_t Breakpoints::data_hits(std::uint32_t linear, std::uint32_t count, AccessType type) const {
    std::uint32_t hit = 0;
    for (std::uint32_t i = 0; i < kPoints; ++i) {
        const bool wanted = kind(i) == kReadWrite || type == AccessType::write;
        if ((data_ >> i & 1U) != 0 && wanted && meets(i, linear, count)) hit |= 1U << i;
    }
    return hit;
}

std::uint32_t Breakpoints::port_hits(std::uint16_t port, std::uint32_t count) const {
    std::uint32_t hit = 0;
    for (std::uint32_t i = 0; i < kPoints; ++i)
        if ((ports_ >> i & 1U) != 0 && meets(i, port, count)) hit |= 1U << i;
    return hit;
}

} // namespace ringone::vmm
