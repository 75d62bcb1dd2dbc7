// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include <cstdint>

namespace ringone::vmm::process {

/// Runs of guest pages that a process with `used` mappings may have where the host allows `most` (vm.max_map_count), in
/// any places: each needs a mapping of its own, and one for the hole behind it. Some are left for the rest of the process.
[[nodiscard]] std::uint32_t runs_within(std::uint64_t most, std::uint64_t used);

/// The same for this process, of what /proc says; of Linux's usual values where there is no /proc.
[[nodiscard]] std::uint32_t runs_of_this_process();

} // namespace ringone::vmm::process
