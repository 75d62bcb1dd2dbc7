// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include <compare>
#include <cstdint>

namespace ringone::mmu {

inline constexpr std::uint32_t kPageShift = 12;
inline constexpr std::uint32_t kPageBytes = 1U << kPageShift;
/// 4 KiB pages in a 32-bit linear address space.
inline constexpr std::uint32_t kLinearPages = 1U << 20;

/// A 4 KiB page of the guest's linear address space, by number.
struct LinearPage {
    std::uint32_t number = 0;
    friend constexpr auto operator<=>(LinearPage, LinearPage) = default;
};

/// A guest-virtual (linear) address in bytes.
struct GuestVirtual {
    std::uint32_t address = 0;
    [[nodiscard]] constexpr LinearPage page() const { return {address >> kPageShift}; }
    friend constexpr auto operator<=>(GuestVirtual, GuestVirtual) = default;
};

/// A guest-physical address in bytes; up to 40 bits (PSE-36, PAE).
struct GuestPhysical {
    std::uint64_t address = 0;
    friend constexpr auto operator<=>(GuestPhysical, GuestPhysical) = default;
};

/// A 4 KiB page of the memory that backs guest RAM, by number from its start.
struct RamPage {
    std::uint32_t number = 0;
    friend constexpr auto operator<=>(RamPage, RamPage) = default;
};

/// Pages [first, first + pages) of linear space.
struct LinearRun {
    LinearPage first;
    std::uint32_t pages = 0;
    friend constexpr bool operator==(LinearRun, LinearRun) = default;
};

enum class AccessType : std::uint8_t { read, write, fetch };

/// One access as the paging unit sees it (SDM Vol. 3 section 4.6).
struct Access {
    AccessType type = AccessType::read;
    bool user = false;          ///< CPL 3, and not one of the implicit supervisor accesses to GDT, LDT, IDT, TSS
    bool smap_override = false; ///< explicit supervisor access with EFLAGS.AC set
};

/// Page-fault error code, SDM Vol. 3 section 4.7.
namespace fault_code {
inline constexpr std::uint32_t kPresent = 1U << 0;
inline constexpr std::uint32_t kWrite = 1U << 1;
inline constexpr std::uint32_t kUser = 1U << 2;
inline constexpr std::uint32_t kReserved = 1U << 3;
inline constexpr std::uint32_t kFetch = 1U << 4;
} // namespace fault_code

/// What the hardware is to allow on a mapped page; reading is always allowed.
struct Protection {
    bool write = false;
    bool user = false;    ///< to ring 3
    bool execute = false; ///< direct execution of guest code
    friend constexpr bool operator==(Protection, Protection) = default;
};

} // namespace ringone::mmu
