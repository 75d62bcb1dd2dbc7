// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
//
// Part of shadow_mmu.hpp: dropping pages, and making room in the pools and in the host's table of mappings.
#pragma once

#include "shadow-mmu/shadow_mmu.hpp"

#include <algorithm>

namespace ringone::mmu {

template <PhysicalMemory Memory, Hardware Backend>
void ShadowMmu<Memory, Backend>::Sweep::add(LinearPage page) {
    const std::uint32_t end = run_.first.number + run_.pages;
    if (run_.pages != 0 && page.number >= end) {
        const bool adjacent = page.number == end;
        // In one linear space a single unmap over a hole is cheaper than two.
        const bool hole = kSingleSpace && !adjacent && !mmu_.any_live(kGlobalSpace, {end}, {page.number - 1}) &&
                          !mmu_.any_live(neighbour_, {end}, {page.number - 1});
        if (adjacent || hole) {
            run_.pages = page.number + 1 - run_.first.number;
            return;
        }
    }
    finish();
    run_ = {page, 1};
}

template <PhysicalMemory Memory, Hardware Backend>
void ShadowMmu<Memory, Backend>::Sweep::finish() {
    if (run_.pages != 0) mmu_.unmap(space_, run_);
    run_ = {};
}

template <PhysicalMemory Memory, Hardware Backend>
void ShadowMmu<Memory, Backend>::drop_page(Region& region, std::uint32_t slot, Sweep& sweep) {
    if (!region.present.has(slot)) return;
    const bool live = region.live.has(slot);
    store_.clear(region, slot);
    if (live) sweep.add(region.page(slot));
}

template <PhysicalMemory Memory, Hardware Backend>
void ShadowMmu<Memory, Backend>::drop_region(Region& region, Sweep& sweep) {
    region.live.for_each([&](std::uint32_t slot) {
        store_.clear_live(region, slot);
        sweep.add(region.page(slot));
    });
    store_.release(region);
}

template <PhysicalMemory Memory, Hardware Backend>
void ShadowMmu<Memory, Backend>::drop_space(SpaceId space) {
    Sweep sweep(*this, space);
    store_.for_each_region(space, [&](Region& region) { drop_region(region, sweep); });
}

template <PhysicalMemory Memory, Hardware Backend>
void ShadowMmu<Memory, Backend>::drop_if_present(SpaceId space, LinearPage page) {
    Region* const region = store_.find(space, page.number >> kRegionShift);
    if (region == nullptr) return;
    Sweep sweep(*this, space);
    drop_page(*region, page.number & (kRegionPages - 1), sweep);
}

/// Frees at least one region: those of the space not used for longest, or else one of the spaces in use.
template <PhysicalMemory Memory, Hardware Backend>
bool ShadowMmu<Memory, Backend>::evict_region(SpaceId keep) {
    SpaceId oldest = kGlobalSpace;
    for (std::uint32_t i = 1; i < store_.space_count(); ++i) {
        const auto id = static_cast<SpaceId>(i);
        const Space& space = store_.space(id);
        if (id == current_ || id == keep || space.regions == 0) continue;
        if (oldest == kGlobalSpace || space.last_used < store_.space(oldest).last_used) oldest = id;
    }
    if (oldest != kGlobalSpace) {
        ++counters_.spaces_evicted;
        drop_space(oldest);
        return true;
    }
    Region* const victim = store_.next_victim();
    if (victim == nullptr) return false;
    ++counters_.regions_evicted;
    Sweep sweep(*this, victim->space);
    drop_region(*victim, sweep);
    return true;
}

/// What INVLPG and a page fault drop: the page, and all of a large page that it lies in.
template <PhysicalMemory Memory, Hardware Backend>
void ShadowMmu<Memory, Backend>::drop_translation(LinearPage page) {
    const std::uint32_t index = page.number >> kRegionShift;
    const bool spans_two = context_.mode == PagingMode::two_level; // a 4 MiB page is two regions
    for (const SpaceId space : {kGlobalSpace, current_}) {
        Sweep sweep(*this, space);
        for (const std::uint32_t at : {index & ~1U, index | 1U}) {
            Region* const region = store_.find(space, at);
            if (region == nullptr || (at != index && !spans_two)) continue;
            if (region->large && context_.mode != PagingMode::none) drop_region(*region, sweep);
            else if (at == index) drop_page(*region, page.number & (kRegionPages - 1), sweep);
        }
    }
}

/// May one more update be made without a chance of more runs than allowed?
template <PhysicalMemory Memory, Hardware Backend>
bool ShadowMmu<Memory, Backend>::has_room() const {
    return !kSingleSpace || run_bound_ + kRunsOfOneUpdate <= config_.max_runs;
}

/// Called where nothing is under way: afterwards a single linear space has room for what an operation usually needs.
/// One that needs more (it breaks up a long run) unmaps everything.
template <PhysicalMemory Memory, Hardware Backend>
void ShadowMmu<Memory, Backend>::make_room() {
    if constexpr (kSingleSpace) {
        const std::uint32_t spare = config_.max_runs / 4;
        if (run_bound_ + spare <= config_.max_runs) return;
        run_bound_ = count_runs();
        if (run_bound_ + spare <= config_.max_runs) return;
        // Well below, so that the count is not made again at once.
        while (run_bound_ > config_.max_runs / 2) evict_oldest_run();
    }
}

template <PhysicalMemory Memory, Hardware Backend>
void ShadowMmu<Memory, Backend>::evict_oldest_run() {
    std::optional<LivePage> found;
    LinearPage first;
    while (!found && fill_count_ != 0) {
        first = {fill_ring_[fill_first_]};
        fill_first_ = (fill_first_ + 1) % config_.max_runs;
        --fill_count_;
        found = live_page(first);
    }
    if (!found) { // what is left are splinters of runs that traces have broken up
        unmap_everything();
        return;
    }
    LinearPage last = first;
    for (LivePage high = *found; last.number + 1 < config_.linear_limit; ++last.number) {
        const std::optional<LivePage> above = live_page({last.number + 1});
        if (!above || !high.joins(*above)) break;
        high = *above;
    }
    for (LivePage low = *found; first.number > 0; --first.number) {
        const std::optional<LivePage> below = live_page({first.number - 1});
        if (!below || !below->joins(low)) break;
        low = *below;
    }
    for (std::uint32_t page = first.number; page <= last.number; ++page) {
        for (const SpaceId space : {kGlobalSpace, current_}) {
            Region* const region = store_.find(space, page >> kRegionShift);
            if (region != nullptr) store_.clear_live(*region, page & (kRegionPages - 1));
        }
    }
    const LinearRun run{first, last.number - first.number + 1};
    ++counters_.runs_evicted;
    if (!hardware_.unmap(hardware_space(current_), run)) {
        ++counters_.map_failures;
        unmap_everything();
        return;
    }
    owe(current_, run);
    --run_bound_; // a whole run went
}

template <PhysicalMemory Memory, Hardware Backend>
void ShadowMmu<Memory, Backend>::unmap_everything() {
    for (std::uint32_t space = 0; space < store_.space_count(); ++space) {
        store_.for_each_region(static_cast<SpaceId>(space), [&](Region& region) {
            if (region.live_pages == 0) return;
            region.live.for_each([&](std::uint32_t slot) { store_.clear_live(region, slot); });
        });
    }
    (void)hardware_.unmap(kSingleSpace ? HardwareSpace{0} : kEverySpace, {{0}, config_.linear_limit}); // never fails
    ++counters_.runs_unmapped;
    owed_ = {.everything = true, .run = {}};
    run_bound_ = 0;
    fill_count_ = 0;
}

template <PhysicalMemory Memory, Hardware Backend>
std::uint32_t ShadowMmu<Memory, Backend>::count_runs() {
    std::uint32_t runs = 0;
    std::uint32_t expected = kLinearPages; // page that would continue the run
    LivePage before;
    const auto see = [&](const Region& region, std::uint32_t slot) {
        const LivePage here{region.entries[slot].ram(), region.writable.has(slot)};
        const std::uint32_t page = region.page(slot).number;
        if (page != expected || !before.joins(here)) ++runs;
        expected = page + 1;
        before = here;
    };
    std::uint32_t index = 0;
    for (;;) {
        index = std::min(store_.next_region(kGlobalSpace, index), store_.next_region(current_, index));
        if (index >= kRegionSlots) return runs;
        const Region* const global = store_.find(kGlobalSpace, index);
        const Region* const own = store_.find(current_, index);
        PageSet live = global != nullptr ? global->live : PageSet{};
        for (std::uint32_t word = 0; own != nullptr && word < PageSet::kWords; ++word) {
            live.words[word] |= own->live.words[word];
        }
        live.for_each([&](std::uint32_t slot) {
            if (global != nullptr && global->live.has(slot)) see(*global, slot);
            else if (own != nullptr) see(*own, slot);
        });
        ++index;
    }
}

template <PhysicalMemory Memory, Hardware Backend>
auto ShadowMmu<Memory, Backend>::live_page(LinearPage page) -> std::optional<LivePage> {
    const std::uint32_t slot = page.number & (kRegionPages - 1);
    for (const SpaceId space : {kGlobalSpace, current_}) {
        const Region* const region = store_.find(space, page.number >> kRegionShift);
        if (region != nullptr && region->live.has(slot)) {
            return LivePage{region->entries[slot].ram(), region->writable.has(slot)};
        }
    }
    return {};
}

template <PhysicalMemory Memory, Hardware Backend>
bool ShadowMmu<Memory, Backend>::any_live(SpaceId space, LinearPage first, LinearPage last) {
    const std::uint32_t last_index = last.number >> kRegionShift;
    for (std::uint32_t index = store_.next_region(space, first.number >> kRegionShift); index <= last_index &&
         index < kRegionSlots; index = store_.next_region(space, index + 1)) {
        const Region& region = *store_.find(space, index);
        if (region.live_pages == 0) continue;
        const std::uint32_t from = std::max(first.number, region.page(0).number) & (kRegionPages - 1);
        const std::uint32_t to = std::min(last.number, region.page(kRegionPages - 1).number) & (kRegionPages - 1);
        if (region.live.any_in(from, to)) return true;
    }
    return false;
}

} // namespace ringone::mmu
