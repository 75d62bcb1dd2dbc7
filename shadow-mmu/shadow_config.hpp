// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "shadow-mmu/paging.hpp"

#include <cstdint>

namespace ringone::mmu {

/// Sizes and policies, fixed at construction.
struct ShadowConfig {
    std::uint32_t ram_pages = 0;                  ///< of backing memory, at most kLinearPages
    std::uint32_t linear_limit = kLinearPages;    ///< first linear page that is never mapped (the monitor zone)
    std::uint32_t spaces = 64;                    ///< guest address spaces kept, at least 2
    std::uint32_t regions = 2048;                 ///< 2 MiB regions kept over all spaces, at least 16, below 65535
    std::uint32_t max_run_pages = 16384;          ///< of one fill, at least 1; a region of a large page goes in whole
    std::uint32_t max_runs = 24576;               ///< mapped runs in a single linear space, never exceeded; at least
                                                  ///< 16; a host needs up to 2 VMAs each, and vm.max_map_count is its
                                                  ///< limit
    std::uint32_t eager_runs = 0;                 ///< recently filled runs mapped at a space switch, before any fault
    std::uint32_t eager_entries = 16;             ///< of a space, after which its recent fills are learned anew
    bool keep_spaces = true;                      ///< false: drop all non-global mappings at a CR3 load
    bool fill_neighbours = true;                  ///< false: one page a fill, where it is a small one
    PagingFeatures features{};
};

/// Counted since construction. Times are not here: they are the world's.
struct ShadowCounters {
    std::uint64_t hidden_faults, injected_faults, mmio_faults, write_traps, emulated_faults;
    std::uint64_t fills, prefills, runs_mapped, pages_mapped, upgrades, pages_found_mapped;
    std::uint64_t runs_unmapped, runs_protected;
    std::uint64_t runs_evicted, regions_evicted, spaces_evicted;
    std::uint64_t map_failures; ///< updates that the hardware had no room for
    std::uint64_t invlpgs, cr3_loads, switches, full_drops;
    std::uint64_t regions_kept, regions_dropped, pages_kept, pages_dropped; ///< by revalidation
    std::uint64_t pages_moved, eager_maps;                                  ///< at switches in a single linear space
    std::uint64_t pages_hidden, hide_sweeps;
    std::uint64_t protects_code, protects_table, protects_rom, protects_descriptors, unprotects;
};

} // namespace ringone::mmu
