// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

namespace ringone::vmm {

/// Optimizations of guest memory, each with its switch.
struct MemorySwitches {
    bool prefill = true;         ///< map the page of an injected #PF when its handler returns to the instruction
    bool eager_spaces = true;    ///< a space that is entered gets back the pages it lately faulted on
};

/// All off: the reference the tests compare with.
[[nodiscard]] constexpr MemorySwitches plain_memory() { return {.prefill = false, .eager_spaces = false}; }

} // namespace ringone::vmm
