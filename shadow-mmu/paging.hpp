// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "shadow-mmu/types.hpp"

#include <array>
#include <cstdint>

namespace ringone::mmu {

namespace cr0 {
inline constexpr std::uint32_t kWp = 1U << 16;
inline constexpr std::uint32_t kPg = 1U << 31;
} // namespace cr0

namespace cr4 {
inline constexpr std::uint32_t kPse = 1U << 4;
inline constexpr std::uint32_t kPae = 1U << 5;
inline constexpr std::uint32_t kPge = 1U << 7;
inline constexpr std::uint32_t kSmep = 1U << 20;
inline constexpr std::uint32_t kSmap = 1U << 21;
} // namespace cr4

namespace efer {
inline constexpr std::uint64_t kNxe = 1ULL << 11;
} // namespace efer

/// Bits of page-directory and page-table entries, 32-bit and PAE alike (SDM Vol. 3 tables 4-4 to 4-6, 4-8 to 4-11).
namespace entry {
inline constexpr std::uint64_t kPresent = 1ULL << 0;
inline constexpr std::uint64_t kWrite = 1ULL << 1;
inline constexpr std::uint64_t kUser = 1ULL << 2;
inline constexpr std::uint64_t kAccessed = 1ULL << 5;
inline constexpr std::uint64_t kDirty = 1ULL << 6;
inline constexpr std::uint64_t kLarge = 1ULL << 7;    ///< PS, in a directory entry
inline constexpr std::uint64_t kTablePat = 1ULL << 7; ///< in a table entry
inline constexpr std::uint64_t kGlobal = 1ULL << 8;
inline constexpr std::uint64_t kLargePat = 1ULL << 12;
inline constexpr std::uint64_t kNoExecute = 1ULL << 63;
} // namespace entry

/// The registers that decide how linear addresses are translated.
struct ControlRegisters {
    std::uint32_t cr0 = 0;
    std::uint32_t cr3 = 0;
    std::uint32_t cr4 = 0;
    std::uint64_t efer = 0;
};

/// What CPUID says of the guest's paging unit.
struct PagingFeatures {
    std::uint32_t physical_bits = 36; ///< MAXPHYADDR, 32 to 52
    bool pse36 = true;
    bool pat = true;
};

enum class PagingMode : std::uint8_t { none, two_level, pae };

inline constexpr std::uint32_t kPdptes = 4;
using Pdptes = std::array<std::uint64_t, kPdptes>;

/// The paging unit's set-up in the form that walks need: mode, rights in force and reserved bits.
class PagingContext {
public:
    PagingContext() = default;
    /// `pdptes` are the four internal PDPTE registers; they count in PAE mode only.
    PagingContext(const ControlRegisters& registers, const PagingFeatures& features, const Pdptes& pdptes);

    /// Do both translate, and grant, by the same rules? (Root and PGE left aside.)
    [[nodiscard]] bool same_rules(const PagingContext& other) const;

    PagingMode mode = PagingMode::none;
    bool large_pages = false; ///< PS of a directory entry counts
    bool write_protect = false;
    bool no_execute = false; ///< the NX bit counts
    bool global_pages = false;
    bool smep = false;
    bool smap = false;
    std::uint32_t root = 0; ///< guest-physical address of the directory, or of the PDPT
    Pdptes pdptes{};
    std::uint64_t reserved_directory = 0;
    std::uint64_t reserved_large = 0;
    std::uint64_t reserved_table = 0;

    [[nodiscard]] std::uint32_t entry_bytes() const { return mode == PagingMode::pae ? 8 : 4; }
    /// Frame of the table that a directory entry names.
    [[nodiscard]] static std::uint64_t table_base(std::uint64_t directory_entry) { return directory_entry & kFrame; }
    /// Frame of a 4 KiB page.
    [[nodiscard]] static std::uint64_t page_base(std::uint64_t table_entry) { return table_entry & kFrame; }
    /// Guest-physical address of the 4 KiB page of `linear` inside the large page that `directory_entry` maps.
    [[nodiscard]] std::uint64_t large_page_base(std::uint64_t directory_entry, GuestVirtual linear) const;

    static constexpr std::uint64_t kFrame = 0x000F'FFFF'FFFF'F000ULL;
};

/// Bits of a PDPTE that make MOV CR3 a #GP(0) when P is set (SDM Vol. 3 table 4-8).
[[nodiscard]] std::uint64_t reserved_pdpte_bits(const PagingFeatures& features);

} // namespace ringone::mmu
