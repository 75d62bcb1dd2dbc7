// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "translator/cache.hpp"
#include "translator/code_writer.hpp"
#include "translator/plan.hpp"

namespace ringone::translator {

/// Turns a plan into ia32 code in the translation cache.
class Ia32Backend {
public:
    Ia32Backend(TranslationCache& cache, const Options& options) : cache_(cache), options_(options) {}

    struct Emitted {
        FragmentId fragment;
        /// The exit at the block's end was left out because the next block is placed behind this one. When none is,
        /// close_fall_through() writes it.
        bool falls_through;
        std::uint32_t landing; ///< run address at which a return to the next block is checked; 0: there is none
    };

    /// Emits the block that cache.begin_block() made room for. `pages`: the guest-physical pages of its bytes;
    /// `landing`: Emitted::landing of the block that this one is placed behind.
    [[nodiscard]] Emitted emit(const Plan& plan, std::uint8_t context, const std::uint32_t (&pages)[2], bool may_fall,
                               std::uint32_t landing);

    /// Gives the last block emitted the exit that it left out.
    void close_fall_through(FragmentId fragment, std::uint32_t next_eip);

private:
    TranslationCache& cache_;
    const Options& options_;
};

} // namespace ringone::translator
