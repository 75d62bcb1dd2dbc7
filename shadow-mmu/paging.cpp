// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "shadow-mmu/paging.hpp"

#include <algorithm>

namespace ringone::mmu {
namespace {

constexpr std::uint32_t kTwoLevelRoot = 0xFFFFF000;
constexpr std::uint32_t kPaeRoot = 0xFFFFFFE0;
constexpr std::uint32_t kPse36MaxBits = 40;
constexpr std::uint32_t kLarge4MFrame = 0xFFC00000;
constexpr std::uint64_t kLarge2MFrame = 0x000F'FFFF'FFE0'0000ULL;
constexpr std::uint32_t kLarge4MMask = 0x003FF000; ///< page-number bits of an address within its 4 MiB page
constexpr std::uint32_t kLarge2MMask = 0x001FF000;
constexpr std::uint32_t kPse36FirstBit = 13; ///< of the directory entry; it holds address bit 32

/// Bits [low, high].
constexpr std::uint64_t bits(std::uint32_t high, std::uint32_t low) {
    return ((2ULL << high) - 1) & ~((1ULL << low) - 1);
}

/// SDM Vol. 3 section 4.3: bits 21:(M-19), M = min(40, MAXPHYADDR) with PSE-36, else bits 21:13.
std::uint64_t reserved_in_4m(const PagingFeatures& features) {
    constexpr std::uint32_t kTop = 21;
    constexpr std::uint32_t kDistance = 19;
    const std::uint32_t width = features.pse36 ? std::min(kPse36MaxBits, features.physical_bits) : 32;
    return bits(kTop, width - kDistance);
}

} // namespace

std::uint64_t reserved_pdpte_bits(const PagingFeatures& features) {
    return bits(2, 1) | bits(8, 5) | bits(63, features.physical_bits);
}

PagingContext::PagingContext(const ControlRegisters& registers, const PagingFeatures& features, const Pdptes& four) {
    if ((registers.cr0 & cr0::kPg) == 0) return;
    const bool pae = (registers.cr4 & cr4::kPae) != 0;
    mode = pae ? PagingMode::pae : PagingMode::two_level;
    large_pages = pae || (registers.cr4 & cr4::kPse) != 0;
    write_protect = (registers.cr0 & cr0::kWp) != 0;
    no_execute = pae && (registers.efer & efer::kNxe) != 0;
    global_pages = (registers.cr4 & cr4::kPge) != 0;
    smep = (registers.cr4 & cr4::kSmep) != 0;
    smap = (registers.cr4 & cr4::kSmap) != 0;
    root = registers.cr3 & (pae ? kPaeRoot : kTwoLevelRoot);
    if (pae) {
        pdptes = four;
        const std::uint64_t wide = bits(62, features.physical_bits) | (no_execute ? 0 : entry::kNoExecute);
        reserved_directory = wide;
        reserved_large = wide | bits(20, 13) | (features.pat ? 0 : entry::kLargePat);
        reserved_table = wide | (features.pat ? 0 : entry::kTablePat);
    } else if (large_pages) {
        // With CR4.PSE clear no bit is reserved, the PAT bits included.
        reserved_large = reserved_in_4m(features) | (features.pat ? 0 : entry::kLargePat);
        reserved_table = features.pat ? 0 : entry::kTablePat;
    }
}

bool PagingContext::same_rules(const PagingContext& other) const {
    return mode == other.mode && large_pages == other.large_pages && write_protect == other.write_protect &&
           no_execute == other.no_execute && smep == other.smep && smap == other.smap;
}

std::uint64_t PagingContext::large_page_base(std::uint64_t directory_entry, GuestVirtual linear) const {
    if (mode == PagingMode::pae) return (directory_entry & kLarge2MFrame) | (linear.address & kLarge2MMask);
    const std::uint64_t high = (directory_entry & bits(20, kPse36FirstBit)) >> kPse36FirstBit << 32;
    return high | (directory_entry & kLarge4MFrame) | (linear.address & kLarge4MMask);
}

} // namespace ringone::mmu
