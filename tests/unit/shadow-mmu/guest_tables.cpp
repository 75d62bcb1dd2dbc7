// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "tests/unit/shadow-mmu/guest_tables.hpp"

#include <utility>

namespace ringone::mmu::test {
namespace {

constexpr std::uint64_t kRootPage = 1;      // 32-bit paging: a directory each; PAE: the PDPTs share the first
constexpr std::uint64_t kDirectoryPage = 8; // of PAE
constexpr std::uint32_t kDirectories = 6;
constexpr std::uint64_t kTablePage = 16;
constexpr std::uint32_t kTables = 10;
constexpr std::uint64_t kFirstDataPage = 64;
constexpr std::uint32_t kPdptBytes = 32;
constexpr std::uint64_t kHighPage = FakeMemory::kHighBase >> kPageShift;
constexpr std::uint64_t kMmioPage = GuestTables::kLowPages + 16;

} // namespace

GuestTables::GuestTables(FakeMemory& memory, Random& random, std::vector<std::uint32_t> areas)
    : memory_(memory), random_(random), areas_(std::move(areas)) {}

std::uint32_t GuestTables::root(std::uint32_t number) const {
    return static_cast<std::uint32_t>(wide_ ? (kRootPage << kPageShift) + number * kPdptBytes
                                            : (kRootPage + number) << kPageShift);
}

void GuestTables::write_all(bool wide) {
    wide_ = wide;
    for (std::uint64_t at = kRootPage << kPageShift; at < (kTablePage + kTables) << kPageShift; at += 8) {
        memory_.write64(at, 0);
    }
    for (std::uint32_t table = 0; table < kTables; ++table) {
        // Most pages lie in a row, with equal rights: runs.
        std::uint64_t flags = random_flags();
        for (std::uint32_t i = 0; i < (wide_ ? 512U : 1024U); ++i) {
            if (one_in(64)) flags = random_flags();
            memory_.write_entry(table_entry_at(table, i), random_frame(table, i) << kPageShift | flags, wide_);
        }
    }
    for (std::uint32_t directory = 0; directory < kDirectories; ++directory) {
        for (const std::uint32_t area : areas_) write_directory(directory, area);
    }
    if (!wide_) return;
    for (std::uint32_t i = 0; i < kRoots * 4; ++i) {
        std::uint64_t pdpte = random_pdpte();
        while ((pdpte & 0x1E6) != 0) pdpte = random_pdpte();
        memory_.write64((kRootPage << kPageShift) + i * sizeof pdpte, pdpte);
    }
}

std::uint64_t GuestTables::table_entry_at(std::uint32_t table, std::uint32_t index) const {
    return ((kTablePage + table) << kPageShift) + index * (wide_ ? 8U : 4U);
}

std::uint64_t GuestTables::random_flags() {
    std::uint64_t flags = one_in(16) ? 0 : 1;
    if (!one_in(4)) flags |= 2;
    if (!one_in(3)) flags |= 4;
    if (!one_in(4)) flags |= 0x20;
    if (one_in(2)) flags |= 0x40;
    if (one_in(4)) flags |= 0x100;
    if (one_in(32)) flags |= 0x80; // PAT of a table's entry
    if (wide_ && one_in(6)) flags |= 1ULL << 63;
    if (wide_ && one_in(50)) flags |= 1ULL << 45;
    return flags;
}

std::uint64_t GuestTables::random_frame(std::uint32_t table, std::uint32_t index) {
    switch (random_() % 32) {
    case 0: return kTablePage + below(kTables); // the tables as data
    case 1: return kMmioPage;
    case 2: return kFirstDataPage + below(16); // aliases
    case 3: return wide_ ? kHighPage + below(kHighPages) : kFirstDataPage + below(512);
    default: return kFirstDataPage + (table * 256U + index) % (kLowPages - kFirstDataPage);
    }
}

std::uint64_t GuestTables::random_directory_entry() {
    const std::uint64_t flags = random_flags() & ~(1ULL << 45);
    if (!one_in(3)) {
        if (one_in(40)) return kRootPage << kPageShift | (flags & ~0x80ULL); // the directory as a table
        return (kTablePage + below(kTables)) << kPageShift | (flags & ~0x80ULL) | (one_in(8) ? 0 : 7) |
               (wide_ && !one_in(8) ? 0 : flags & (1ULL << 63));
    }
    const std::uint64_t large = flags | 0x80;
    if (wide_) {
        if (one_in(8)) return FakeMemory::kHighBase | large;
        return std::uint64_t{below(7)} << 21 | large; // the last is not RAM, the one before in part
    }
    if (one_in(8)) return (1U << 13) | large; // at 4 GiB
    if (one_in(40)) return (1U << 17) | large; // address bit 36: reserved
    return std::uint64_t{below(4)} << 22 | large;
}

void GuestTables::write_directory(std::uint32_t directory, std::uint32_t area) {
    const std::uint64_t at = wide_ ? ((kDirectoryPage + directory) << kPageShift) + (area & 0x1FFU) * 8
                                   : ((kRootPage + directory) << kPageShift) + (area >> 1U) * 4;
    memory_.write_entry(at, random_directory_entry(), wide_);
}

std::uint64_t GuestTables::random_pdpte() {
    std::uint64_t pdpte = (kDirectoryPage + below(kDirectories)) << kPageShift | (one_in(20) ? 0 : 1);
    if (one_in(200)) pdpte |= 2; // reserved
    return pdpte;
}

void GuestTables::edit_pdpte() {
    if (wide_) memory_.write64((kRootPage << kPageShift) + below(kRoots * 4) * sizeof(std::uint64_t), random_pdpte());
}

void GuestTables::edit_directory() {
    const std::uint32_t area = areas_[below(static_cast<std::uint32_t>(areas_.size()))];
    last_index_ = (area & 1U) * 512 + below(512);
    write_directory(below(kDirectories), area);
}

void GuestTables::edit_table() {
    const std::uint32_t table = below(kTables);
    last_index_ = one_in(2) ? below(16) : below(wide_ ? 512 : 1024);
    memory_.write_entry(table_entry_at(table, last_index_),
                        random_frame(table, last_index_) << kPageShift | random_flags(), wide_);
}

void GuestTables::edit_span() {
    const std::uint32_t table = below(kTables);
    const std::uint32_t entries = wide_ ? 512 : 1024;
    last_index_ = below(entries);
    const std::uint32_t end = std::min(last_index_ + below(64), entries);
    const std::uint64_t flags = random_flags();
    const std::uint64_t frame = kFirstDataPage + below(kLowPages - kFirstDataPage - entries);
    for (std::uint32_t i = last_index_; i < end; ++i) {
        memory_.write_entry(table_entry_at(table, i), (frame + i) << kPageShift | flags, wide_);
    }
}

void GuestTables::flip_bit() {
    constexpr std::uint64_t kBits[] = {1, 2, 4, 0x20, 0x40, 0x100};
    last_index_ = one_in(2) ? below(16) : below(wide_ ? 512 : 1024);
    const std::uint64_t at = table_entry_at(below(kTables), last_index_);
    const std::uint64_t old = wide_ ? memory_.read64({at}) : memory_.read32({at});
    memory_.write_entry(at, old ^ kBits[below(6)], wide_);
}

std::uint32_t GuestTables::page_of_last_edit() {
    const std::uint32_t area = areas_[below(static_cast<std::uint32_t>(areas_.size()))];
    // In 32-bit paging an area is one half of a table's reach, and the areas come in pairs.
    return wide_ ? area * 512 + last_index_ % 512 : area / 2 * 1024 + last_index_ % 1024;
}

} // namespace ringone::mmu::test
