// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "shadow-mmu/paging.hpp"

#include <concepts>
#include <cstdint>
#include <optional>

namespace ringone::mmu {

/// Guest-physical memory as walks need it. Addresses are naturally aligned. Outside RAM a read gives all ones and
/// a compare-exchange does nothing and reports success.
template <typename T>
concept PhysicalMemory = requires(T memory, GuestPhysical at, std::uint32_t word, std::uint64_t quad) {
    { memory.read32(at) } -> std::same_as<std::uint32_t>;
    { memory.read64(at) } -> std::same_as<std::uint64_t>;
    { memory.compare_exchange32(at, word, word) } -> std::same_as<bool>;
    { memory.compare_exchange64(at, quad, quad) } -> std::same_as<bool>;
    { memory.ram_page(at) } -> std::same_as<std::optional<RamPage>>;
};

/// What the guest's tables say of one 4 KiB page.
struct Translation {
    GuestPhysical page;
    std::uint64_t directory_entry = 0; ///< 0 with paging off
    bool write = false;
    bool user = false;
    bool execute = false;
    bool global = false; ///< the G bit, whether or not CR4.PGE is set
    bool accessed = false; ///< at every level
    bool dirty = false;
    bool large = false;
};

/// A walk that ended: in a translation, or in a page fault with this error code.
struct Walk {
    bool faulted = false;
    std::uint32_t error_code = 0;
    Translation translation;

    [[nodiscard]] GuestPhysical physical(GuestVirtual linear) const {
        return {translation.page.address | (linear.address & (kPageBytes - 1))};
    }
};

/// A guest table entry and where it was read.
struct TableEntry {
    GuestPhysical at;
    std::uint64_t value = 0;
};

template <PhysicalMemory Memory>
[[nodiscard]] TableEntry read_entry(Memory& memory, const PagingContext& context, std::uint64_t table,
                                    std::uint32_t index) {
    const GuestPhysical at{table + index * context.entry_bytes()};
    return {at, context.mode == PagingMode::pae ? memory.read64(at) : memory.read32(at)};
}

/// The directory entry that covers `linear`; not present where the PDPTE is not.
template <PhysicalMemory Memory>
[[nodiscard]] TableEntry read_directory_entry(Memory& memory, const PagingContext& context, GuestVirtual linear) {
    constexpr std::uint32_t kTwoLevelShift = 22;
    constexpr std::uint32_t kPdptShift = 30;
    constexpr std::uint32_t kPaeShift = 21;
    constexpr std::uint32_t kPaeMask = 511;
    if (context.mode == PagingMode::two_level) {
        return read_entry(memory, context, context.root, linear.address >> kTwoLevelShift);
    }
    const std::uint64_t pdpte = context.pdptes[linear.address >> kPdptShift];
    if ((pdpte & entry::kPresent) == 0) return {};
    return read_entry(memory, context, pdpte & PagingContext::kFrame, (linear.address >> kPaeShift) & kPaeMask);
}

template <PhysicalMemory Memory>
[[nodiscard]] TableEntry read_table_entry(Memory& memory, const PagingContext& context, std::uint64_t directory_entry,
                                          LinearPage page) {
    const std::uint32_t mask = kPageBytes / context.entry_bytes() - 1;
    return read_entry(memory, context, PagingContext::table_base(directory_entry), page.number & mask);
}

[[nodiscard]] inline bool is_large(const PagingContext& context, std::uint64_t directory_entry) {
    return context.large_pages && (directory_entry & entry::kLarge) != 0;
}

/// Joins the two levels (the same entry twice for a large page); both must be present and free of reserved bits. Inline:
/// revalidation at CR3 loads calls it for every page kept.
[[nodiscard]] inline Translation combine(const PagingContext& context, std::uint64_t directory_entry,
                                         std::uint64_t table_entry, GuestVirtual linear) {
    const bool large = is_large(context, directory_entry);
    const std::uint64_t both = directory_entry & table_entry;
    const std::uint64_t either = directory_entry | table_entry;
    const std::uint64_t page = large ? context.large_page_base(directory_entry, linear)
                                     : PagingContext::page_base(table_entry);
    return {.page = {page},
            .directory_entry = directory_entry,
            .write = (both & entry::kWrite) != 0,
            .user = (both & entry::kUser) != 0,
            .execute = !context.no_execute || (either & entry::kNoExecute) == 0,
            .global = (table_entry & entry::kGlobal) != 0,
            .accessed = (both & entry::kAccessed) != 0,
            .dirty = (table_entry & entry::kDirty) != 0,
            .large = large};
}

/// The translation of a page without any access: nothing where the tables would fault on every access.
template <PhysicalMemory Memory>
[[nodiscard]] std::optional<Translation> look_up(Memory& memory, const PagingContext& context,
                                                 std::uint64_t directory_entry, GuestVirtual linear) {
    if ((directory_entry & entry::kPresent) == 0) return {};
    if (is_large(context, directory_entry)) {
        if ((directory_entry & context.reserved_large) != 0) return {};
        return combine(context, directory_entry, directory_entry, linear);
    }
    if ((directory_entry & context.reserved_directory) != 0) return {};
    const std::uint64_t table_entry = read_table_entry(memory, context, directory_entry, linear.page()).value;
    if ((table_entry & entry::kPresent) == 0 || (table_entry & context.reserved_table) != 0) return {};
    return combine(context, directory_entry, table_entry, linear);
}

/// May the access be made under the translation's rights? SDM Vol. 3 section 4.6.1.
[[nodiscard]] bool allows(const PagingContext& context, const Translation& translation, Access access);

/// W/R, U/S and I/D of the error code of any fault of this access. SDM Vol. 3 section 4.7.
[[nodiscard]] std::uint32_t access_code(const PagingContext& context, Access access);

/// The translation of every page with paging off.
[[nodiscard]] Translation identity(GuestVirtual linear);

/// Sets bits of an entry that are still clear. False when the entry changed under our hands.
template <PhysicalMemory Memory>
[[nodiscard]] bool set_bits(Memory& memory, const PagingContext& context, TableEntry& from, std::uint64_t set) {
    const std::uint64_t next = from.value | set;
    if (next == from.value) return true;
    const bool done = context.mode == PagingMode::pae
                          ? memory.compare_exchange64(from.at, from.value, next)
                          : memory.compare_exchange32(from.at, static_cast<std::uint32_t>(from.value),
                                                      static_cast<std::uint32_t>(next));
    from.value = next;
    return done;
}

/// Translates one access as the CPU does without a TLB: sets A at each level and D on a write, once the access is
/// known to succeed, and nothing when it faults (SDM Vol. 3 sections 4.3, 4.4, 4.6 to 4.8).
template <PhysicalMemory Memory>
[[nodiscard]] Walk walk(Memory& memory, const PagingContext& context, GuestVirtual linear, Access access) {
    if (context.mode == PagingMode::none) return {.translation = identity(linear)};
    const auto fault = [&](std::uint32_t cause) {
        return Walk{.faulted = true, .error_code = cause | access_code(context, access), .translation = {}};
    };
    constexpr std::uint32_t kReservedBit = fault_code::kPresent | fault_code::kReserved;
    const std::uint64_t dirty = access.type == AccessType::write ? entry::kDirty : 0;
    for (;;) {
        TableEntry directory = read_directory_entry(memory, context, linear);
        if ((directory.value & entry::kPresent) == 0) return fault(0);
        const bool large = is_large(context, directory.value);
        if ((directory.value & (large ? context.reserved_large : context.reserved_directory)) != 0) {
            return fault(kReservedBit);
        }
        TableEntry table = directory;
        if (!large) {
            table = read_table_entry(memory, context, directory.value, linear.page());
            if ((table.value & entry::kPresent) == 0) return fault(0);
            if ((table.value & context.reserved_table) != 0) return fault(kReservedBit);
        }
        if (!allows(context, combine(context, directory.value, table.value, linear), access)) {
            return fault(fault_code::kPresent);
        }
        // A lost race (another agent wrote the entry) means the walk starts again from what is there now.
        if (large) {
            if (!set_bits(memory, context, directory, entry::kAccessed | dirty)) continue;
            table = directory;
        } else if (!set_bits(memory, context, directory, entry::kAccessed) ||
                   !set_bits(memory, context, table, entry::kAccessed | dirty)) {
            continue;
        }
        return {.translation = combine(context, directory.value, table.value, linear)};
    }
}

} // namespace ringone::mmu
