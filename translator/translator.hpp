// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "translator/cache.hpp"
#include "translator/ia32_backend.hpp"
#include "translator/plan.hpp"

namespace ringone::translator {

/// Guest code in, chained fragments out: planner, back end and cache together.
class Translator {
public:
    /// Bytes of memory the constructor needs besides the code memory.
    [[nodiscard]] static std::size_t metadata_bytes() { return TranslationCache::metadata_bytes(); }

    Translator(CodeMemory code, GsArea& gs, std::uint32_t exit_gate, std::span<std::byte> metadata,
               const Options& options);
    Translator(const Translator&) = delete;
    Translator& operator=(const Translator&) = delete;

    struct Result {
        PlanStatus status;
        FragmentId fragment = kNone;    ///< valid when status is ok
        std::uint32_t fault_linear = 0; ///< valid when status is not_fetchable
    };

    /// The fragment for `eip` in an interned context, translated now if need be; `indirect`: it is about to become an
    /// indirect target.
    [[nodiscard]] Result get(CodeSource& source, std::uint8_t context, std::uint32_t eip, bool one_instruction = false,
                             bool indirect = false);

    [[nodiscard]] TranslationCache& cache() { return cache_; }
    [[nodiscard]] const Planner& planner() const { return planner_; }
    /// From now on an instruction at the guest-linear address begins a block of its own, and none lives that did not know.
    /// Only between runs.
    void cut_at(std::uint32_t linear);
    [[nodiscard]] SiteHints& site_hints() { return hints_; }
    [[nodiscard]] const Options& options() const { return options_; }
    /// The plan made last (for `ringone translate` and the verifier).
    [[nodiscard]] const Plan& last_plan() const { return plan_; }

private:
    /// Blocks translated ahead along the fall-through path of one request.
    static constexpr std::uint32_t kFallThroughRun = 8;

    [[nodiscard]] Ia32Backend::Emitted emit(CodeSource& source, std::uint8_t context, bool may_fall, std::uint32_t landing);

    Options options_;
    Decoder decoder_;
    SiteHints hints_;
    CutPoints cuts_;
    Planner planner_;
    TranslationCache cache_;
    Ia32Backend backend_;
    Plan plan_;
};

} // namespace ringone::translator
