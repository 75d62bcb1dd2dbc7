// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
//
// Part of shadow_mmu.hpp: construction, control registers, INVLPG, privilege, traces.
#pragma once

#include "shadow-mmu/shadow_mmu.hpp"

#include <algorithm>

namespace ringone::mmu {

template <PhysicalMemory Memory, Hardware Backend>
std::size_t ShadowMmu<Memory, Backend>::arena_bytes(const ShadowConfig& config) {
    return config.max_runs * sizeof(std::uint32_t) + alignof(std::max_align_t) + ShadowStore::arena_bytes(config);
}

template <PhysicalMemory Memory, Hardware Backend>
ShadowMmu<Memory, Backend>::ShadowMmu(const ShadowConfig& config, Memory& memory, Backend& hardware,
                                      std::span<std::byte> arena)
    : config_(config), memory_(memory), hardware_(hardware), store_(config, arena),
      fill_ring_(reinterpret_cast<std::uint32_t*>(arena.data() + ShadowStore::arena_bytes(config))) {
    if constexpr (!kSingleSpace) config_.spaces = std::min<std::uint32_t>(config_.spaces, Backend::kLinearSpaces);
    store_.set_user_limit({config_.linear_limit});
    current_ = acquire_space({});
    if constexpr (!kSingleSpace) hardware_.activate(hardware_space(current_));
}

template <PhysicalMemory Memory, Hardware Backend>
bool ShadowMmu<Memory, Backend>::load_control(const ControlRegisters& registers, ControlChange change) {
    PagingContext next(registers, config_.features, pdptes_);
    if (next.mode == PagingMode::pae && change.load_pdptes) {
        const std::uint64_t reserved = reserved_pdpte_bits(config_.features);
        for (std::uint32_t i = 0; i < kPdptes; ++i) {
            next.pdptes[i] = memory_.read64({next.root + i * sizeof(std::uint64_t)});
            if ((next.pdptes[i] & entry::kPresent) != 0 && (next.pdptes[i] & reserved) != 0) return false;
        }
        pdptes_ = next.pdptes;
    }
    ++counters_.cr3_loads;
    make_room();
    if (!next.same_rules(context_)) drop_all();
    const bool keeps_global = next.global_pages && context_.global_pages && !change.flush_global;
    context_ = next;
    // Global translations that another root's tables gave may stay as long as these tables give them too.
    if (!keeps_global) revalidate(kGlobalSpace);
    const SpaceId target = acquire_space({context_.mode, context_.root});
    if (!config_.keep_spaces) drop_space(target);
    revalidate(target);
    switch_to(target);
    return true;
}

template <PhysicalMemory Memory, Hardware Backend>
void ShadowMmu<Memory, Backend>::invlpg(GuestVirtual linear) {
    ++counters_.invlpgs;
    make_room();
    drop_translation(linear.page());
}

template <PhysicalMemory Memory, Hardware Backend>
void ShadowMmu<Memory, Backend>::drop_all() {
    ++counters_.full_drops;
    unmap_everything();
    for (std::uint32_t space = 0; space < store_.space_count(); ++space) {
        store_.for_each_region(static_cast<SpaceId>(space), [&](Region& region) { store_.release(region); });
    }
}

template <PhysicalMemory Memory, Hardware Backend>
void ShadowMmu<Memory, Backend>::set_privilege(bool user) {
    user_view_ = user;
    if constexpr (!Backend::kEnforcesUser) {
        if (!user || store_.exposed_pages() == 0) return;
        ++counters_.hide_sweeps;
        make_room();
        hide_supervisor_pages(kGlobalSpace);
        hide_supervisor_pages(current_);
    }
}

template <PhysicalMemory Memory, Hardware Backend>
void ShadowMmu<Memory, Backend>::set_user_limit(LinearPage limit) {
    store_.set_user_limit(limit);
    set_privilege(user_view_);
}

template <PhysicalMemory Memory, Hardware Backend>
LinearPage ShadowMmu<Memory, Backend>::lowest_supervisor_page() {
    LinearPage lowest{config_.linear_limit};
    for (const SpaceId space : {kGlobalSpace, current_}) {
        store_.for_each_region(space, [&](Region& region) {
            if (region.page(0) >= lowest) return;
            region.present.for_each([&](std::uint32_t slot) {
                if (!region.entries[slot].has(ShadowEntry::kUser)) lowest = std::min(lowest, region.page(slot));
            });
        });
    }
    return lowest;
}

template <PhysicalMemory Memory, Hardware Backend>
bool ShadowMmu<Memory, Backend>::protect_page(RamPage ram, Trace reason) {
    const std::uint8_t before = store_.traces(ram);
    const auto bit = static_cast<std::uint8_t>(reason);
    if ((before & bit) != 0) return false;
    store_.set_traces(ram, before | bit);
    switch (reason) {
    case Trace::translated_code: ++counters_.protects_code; break;
    case Trace::page_table: ++counters_.protects_table; break;
    case Trace::rom: ++counters_.protects_rom; break;
    case Trace::descriptor_table: ++counters_.protects_descriptors; break;
    }
    make_room();
    store_.for_each_mapping(ram, [&](Region& region, std::uint32_t slot) {
        const ShadowEntry entry = region.entries[slot];
        if (!region.writable.has(slot)) return;
        const LinearRun run{region.page(slot), 1};
        if (!has_room()) {
            unmap_everything();
        } else if (!kSingleSpace && region.space == kGlobalSpace) {
            store_.clear_live(region, slot); // other spaces may have a page of their own there
            unmap(kGlobalSpace, run);
        } else if (!hardware_.protect(hardware_space(region.space), run, allowed(entry))) {
            ++counters_.map_failures;
            unmap_everything();
        } else {
            store_.set_live(region, slot, false);
            owe(region.space, run);
            run_bound_ += kRunsOfOneUpdate;
            ++counters_.runs_protected;
        }
    });
    return true;
}

template <PhysicalMemory Memory, Hardware Backend>
void ShadowMmu<Memory, Backend>::unprotect_page(RamPage ram, Trace reason) {
    ++counters_.unprotects;
    store_.set_traces(ram, static_cast<std::uint8_t>(store_.traces(ram) & ~static_cast<unsigned>(reason)));
}

template <PhysicalMemory Memory, Hardware Backend>
Flush ShadowMmu<Memory, Backend>::take_flush() {
    const Flush owed = owed_;
    owed_ = {};
    return owed;
}

template <PhysicalMemory Memory, Hardware Backend>
HardwareSpace ShadowMmu<Memory, Backend>::hardware_space(SpaceId space) const {
    if constexpr (kSingleSpace) return {0};
    else return space == kGlobalSpace ? kEverySpace : HardwareSpace{space - 1U};
}

template <PhysicalMemory Memory, Hardware Backend>
void ShadowMmu<Memory, Backend>::unmap(SpaceId space, LinearRun run) {
    if (!has_room()) {
        unmap_everything();
        return;
    }
    if (!hardware_.unmap(hardware_space(space), run)) {
        ++counters_.map_failures;
        unmap_everything();
        return;
    }
    owe(space, run);
    run_bound_ += kRunsOfOneUpdate;
    ++counters_.runs_unmapped;
}

template <PhysicalMemory Memory, Hardware Backend>
void ShadowMmu<Memory, Backend>::owe(SpaceId space, LinearRun run) {
    // Another space's entries go with the CR3 load that enters it.
    if (owed_.everything || (space != kGlobalSpace && space != current_)) return;
    if (owed_.run.pages == 0) {
        owed_.run = run;
        return;
    }
    const std::uint32_t first = std::min(owed_.run.first.number, run.first.number);
    const std::uint32_t end = std::max(owed_.run.first.number + owed_.run.pages, run.first.number + run.pages);
    owed_.run = {{first}, end - first};
}

} // namespace ringone::mmu
