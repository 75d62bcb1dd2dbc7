// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "translator/translator.hpp"

namespace ringone::translator {
namespace {

constexpr std::uint32_t kPageShift = 12;

} // namespace

Translator::Translator(CodeMemory code, GsArea& gs, std::uint32_t exit_gate, std::span<std::byte> metadata,
                       const Options& options)
    : options_(options), planner_(decoder_, options_, hints_, cuts_), cache_(code, gs, exit_gate, metadata),
      backend_(cache_, options_) {}

Ia32Backend::Emitted Translator::emit(CodeSource& source, std::uint8_t context, bool may_fall, std::uint32_t landing) {
    const std::uint32_t first = plan_.context.cs_base + plan_.eip;
    const std::uint32_t last = first + plan_.length - 1;
    std::uint32_t pages[2] = {source.physical_page(first), kNone};
    if (first >> kPageShift != last >> kPageShift) pages[1] = source.physical_page(last);
    return backend_.emit(plan_, context, pages, may_fall, landing);
}

void Translator::cut_at(std::uint32_t linear) {
    if (cuts_.touch(linear)) cache_.kill_at(linear);
    else cache_.kill_over(linear);
}

Translator::Result Translator::get(CodeSource& source, std::uint8_t context, std::uint32_t eip, bool one_instruction,
                                   bool indirect) {
    const auto key = static_cast<std::uint8_t>(context | (one_instruction ? kOneInstruction : 0));
    if (const FragmentId known = cache_.find(eip, key); known != kNone) return {PlanStatus::ok, known};

    PlanResult planned = planner_.plan(source, cache_.context(context), eip, one_instruction, plan_);
    if (planned.status != PlanStatus::ok) return {planned.status, kNone, planned.fault_linear};
    (void)cache_.begin_block();
    const std::uint32_t entry = indirect && options_.place_entries ? cache_.place_tag_check(eip) : 0;
    const bool may_fall = options_.fall_through && !one_instruction;
    Ia32Backend::Emitted emitted = emit(source, key, may_fall, 0);
    const FragmentId wanted = emitted.fragment;
    if (entry != 0) cache_.set_indirect_entry(wanted, entry);

    for (std::uint32_t n = 1; emitted.falls_through; ++n) {
        const std::uint32_t next = plan_.terminal.next;
        const bool same_page = ((plan_.context.cs_base + next) ^ (plan_.context.cs_base + eip)) >> kPageShift == 0;
        const bool cut = cuts_.has(plan_.context.cs_base + next);
        const bool place = n < kFallThroughRun && same_page && !cut && cache_.block_fits() && cache_.find(next, key) == kNone &&
                           planner_.plan(source, cache_.context(context), next, false, plan_).status == PlanStatus::ok;
        if (!place) {
            backend_.close_fall_through(emitted.fragment, next);
            break;
        }
        emitted = emit(source, key, true, emitted.landing);
    }
    return {PlanStatus::ok, wanted};
}

} // namespace ringone::translator
