// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include <cstdint>

namespace ringone::translator {

/// Every optimization has a switch, so that its worth can be measured and its absence tested.
struct Options {
    bool chain = true;            ///< patch direct branches from fragment to fragment
    bool fall_through = true;     ///< place the next block behind the one that falls into it
    bool indirect_lookup = true;  ///< look indirect branches up inline
    bool site_cache = true;       ///< an indirect branch with one target so far compares with it in place
    bool place_entries = true;    ///< blocks first reached by an indirect branch have their tag check before them
    bool return_cache = true;     ///< look returns up in a table of their own, which leads straight behind their calls
    bool inline_cli_sti = true;
    bool inline_pushf_popf = true;
    bool inline_selector_reads = true;
    bool inline_selector_loads = true;
    bool inline_passages = true;  ///< SYSENTER, SYSEXIT and IRET between the guest's kernel and its user mode
    bool adaptive = true;         ///< translate anew what traps again and again
    std::uint32_t block_limit = 16; ///< guest instructions a block, at most kMaxBlockInstructions
    bool native_memory = true;    ///< no optimization: off, the emulator executes what accesses memory (but x87, MMX)
};

inline constexpr std::uint32_t kMaxBlockInstructions = 16;

/// All optimizations off: the reference the tests compare with.
[[nodiscard]] constexpr Options plain_options() {
    return {false, false, false, false, false, false, false, false, false, false, false, false, kMaxBlockInstructions, true};
}

} // namespace ringone::translator
