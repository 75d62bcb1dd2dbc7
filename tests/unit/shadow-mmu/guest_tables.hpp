// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "tests/unit/shadow-mmu/oracle.hpp"

#include <cstdint>
#include <random>
#include <vector>

namespace ringone::mmu::test {

using Random = std::mt19937_64;

/// A guest's page tables for the model test: a few roots and directories, and tables that they share; entries made at
/// random such that runs, aliases, large pages, MMIO and nonsense all come up.
class GuestTables {
public:
    static constexpr std::uint32_t kRoots = 6;
    static constexpr std::uint32_t kLowPages = 2816; ///< 11 MiB: a 4 MiB page at 8 MiB is RAM in part only
    static constexpr std::uint32_t kHighPages = 512;

    GuestTables(FakeMemory& memory, Random& random, std::vector<std::uint32_t> areas);

    /// Writes all of them anew, for 4- or 8-byte entries.
    void write_all(bool wide);
    [[nodiscard]] std::uint32_t root(std::uint32_t number) const;
    [[nodiscard]] std::uint64_t random_pdpte();
    void edit_pdpte();
    void edit_directory();
    void edit_table();
    /// Many entries of one table, of pages that follow each other.
    void edit_span();
    /// Takes a bit of an entry away, or gives it: what a guest does to A, D, and W.
    void flip_bit();
    /// A linear page of a watched area that the last edit may have been about.
    [[nodiscard]] std::uint32_t page_of_last_edit();

private:
    [[nodiscard]] bool one_in(std::uint32_t n) { return random_() % n == 0; }
    [[nodiscard]] std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(random_() % n); }
    [[nodiscard]] std::uint64_t random_flags();
    [[nodiscard]] std::uint64_t random_frame(std::uint32_t table, std::uint32_t index);
    [[nodiscard]] std::uint64_t table_entry_at(std::uint32_t table, std::uint32_t index) const;
    [[nodiscard]] std::uint64_t random_directory_entry();
    void write_directory(std::uint32_t directory, std::uint32_t area);

    FakeMemory& memory_;
    Random& random_;
    std::vector<std::uint32_t> areas_;
    bool wide_ = false;
    std::uint32_t last_index_ = 0; ///< in a table
};

} // namespace ringone::mmu::test
