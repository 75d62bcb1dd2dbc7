// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "shadow-mmu/types.hpp"

#include <concepts>
#include <cstdint>

namespace ringone::mmu {

/// A linear space of the hardware that guest mappings are put in, by number from 0.
struct HardwareSpace {
    std::uint32_t number = 0;
    friend constexpr bool operator==(HardwareSpace, HardwareSpace) = default;
};

/// For unmap: the same pages in all spaces.
inline constexpr HardwareSpace kEverySpace{0xFFFFFFFF};

/// What enforces the shadow mappings: host mmap windows, or page tables.
///
/// * map(): maps contiguous RAM pages over whatever is there. False when the host has no room; the run is then
///   unmapped or as before, and the call is made again after everything has been unmapped.
/// * unmap(): the run may contain pages that are not mapped. False when the host has no room for what remains; each
///   page of the run is then unmapped or as before. From page 0 up to the limit of linear pages it never fails.
/// * protect(): never of kEverySpace. Pages that are not mapped stay so; with one linear space there are none in the
///   run. False when the host has no room; each page then has the old protection or the new one.
/// * activate(): the space the guest runs in from now on. Not called where there is only one.
///
/// kLinearSpaces: 1 where all guest address spaces share one linear space (process world); more where each cached
/// one has its own. kEnforcesUser / kEnforcesExecute: does the hardware tell user from supervisor accesses, and
/// fetches from reads, on its own? Where not, the bits of Protection are false and mean nothing.
template <typename T>
concept Hardware = requires(T hardware, HardwareSpace space, LinearRun run, RamPage ram, Protection protection) {
    { T::kLinearSpaces } -> std::convertible_to<std::uint32_t>;
    { T::kEnforcesUser } -> std::convertible_to<bool>;
    { T::kEnforcesExecute } -> std::convertible_to<bool>;
    { hardware.map(space, run, ram, protection) } -> std::same_as<bool>;
    { hardware.unmap(space, run) } -> std::same_as<bool>;
    { hardware.protect(space, run, protection) } -> std::same_as<bool>;
    hardware.activate(space);
};

/// TLB entries that the updates made so far leave stale on the CPU. A world whose host flushes by itself ignores it.
struct Flush {
    bool everything = false; ///< of every space, global entries included
    LinearRun run;           ///< else these pages; none when run.pages is 0
    friend constexpr bool operator==(Flush, Flush) = default;
};

} // namespace ringone::mmu
