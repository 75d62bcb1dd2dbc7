// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
//
// What the paging unit does, written down from SDM Vol. 3 chapter 4 for one access at a time, without any use of the
// code under test except its plain types.
#pragma once

#include "shadow-mmu/paging.hpp"
#include "tests/unit/shadow-mmu/fake_memory.hpp"

#include <cstdint>
#include <vector>

namespace ringone::mmu::test {

struct Machine {
    std::uint32_t cr0 = 0;
    std::uint32_t cr3 = 0;
    std::uint32_t cr4 = 0;
    std::uint64_t efer = 0;
    std::uint64_t pdpte[4] = {};
    PagingFeatures features{};
};

struct OracleWrite {
    std::uint64_t at = 0;
    std::uint64_t value = 0;
    friend bool operator==(const OracleWrite&, const OracleWrite&) = default;
};

/// What a TLB would hold of a page, whatever the access was.
struct OraclePage {
    bool valid = false; ///< present at every level, no reserved bit set
    std::uint64_t physical = 0; ///< of the 4 KiB page
    bool writable = false;
    bool user = false;
    bool executable = false;
    bool global = false;
    bool accessed = false;
    bool dirty = false;
    bool large = false;
};

struct OracleResult {
    bool fault = false;
    std::uint32_t code = 0;
    OraclePage page;
    std::vector<OracleWrite> writes; ///< A and D bits that the access sets, directory first
};

[[nodiscard]] OraclePage oracle_page(const FakeMemory& memory, const Machine& machine, std::uint32_t linear);
[[nodiscard]] OracleResult oracle_access(const FakeMemory& memory, const Machine& machine, std::uint32_t linear,
                                         Access access);

/// Where the entry that points to the table of `linear`, or maps a large page there, is; no address below 8 is used
/// for tables here, so 0 says that the PDPTE is not present.
[[nodiscard]] std::uint64_t oracle_directory_entry_at(const Machine& machine, std::uint32_t linear);

} // namespace ringone::mmu::test
