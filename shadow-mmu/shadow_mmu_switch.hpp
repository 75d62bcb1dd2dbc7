// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
//
// Part of shadow_mmu.hpp: cached address spaces, their revalidation, and the switch from one to another.
#pragma once

#include "shadow-mmu/shadow_mmu.hpp"

#include <algorithm>

namespace ringone::mmu {

/// The space with this key; a new one takes the place of the one not used for longest.
template <PhysicalMemory Memory, Hardware Backend>
SpaceId ShadowMmu<Memory, Backend>::acquire_space(SpaceKey key) {
    SpaceId chosen = kGlobalSpace;
    for (std::uint32_t i = 1; i <= config_.spaces; ++i) {
        const auto id = static_cast<SpaceId>(i);
        const Space& space = store_.space(id);
        if (space.in_use && space.key == key) return id;
        if (id == current_) continue;
        const bool older = chosen == kGlobalSpace || space.last_used < store_.space(chosen).last_used;
        if (older) chosen = id; // one never used has last_used 0
    }
    Space& space = store_.space(chosen);
    if (space.regions != 0) {
        ++counters_.spaces_evicted;
        drop_space(chosen);
    }
    space.in_use = true;
    space.key = key;
    space.recent_count = 0;
    space.entries = 0;
    return chosen;
}

/// Does the guest's table still give what the entry holds? A TLB that was just flushed could then hold it as well.
template <PhysicalMemory Memory, Hardware Backend>
bool ShadowMmu<Memory, Backend>::agrees(const Region& region, ShadowEntry entry, LinearPage page,
                                        std::uint64_t directory_entry) {
    const std::optional<Translation> now =
        look_up(memory_, context_, directory_entry, {page.number << kPageShift});
    if (!now || !now->accessed || now->large != region.large) return false;
    // Global pages belong in the global space, the others never.
    if (region.space == kGlobalSpace ? !now->global : now->global && context_.global_pages) return false;
    const std::optional<RamPage> ram = memory_.ram_page(now->page);
    const std::uint32_t flags = shadow_flags(*now);
    return ram && *ram == entry.ram() && (flags & ShadowEntry::kGuestRights) == entry.rights() &&
           (!entry.has(ShadowEntry::kDirty) || now->dirty);
}

template <PhysicalMemory Memory, Hardware Backend>
void ShadowMmu<Memory, Backend>::revalidate_region(Region& region, Sweep& sweep) {
    const std::uint64_t directory_entry =
        read_directory_entry(memory_, context_, {region.page(0).number << kPageShift}).value;
    const std::uint32_t before = region.present_pages;
    if (region.large && before != 0) { // one page answers for all
        const std::uint32_t slot = region.present.first();
        if (!agrees(region, region.entries[slot], region.page(slot), directory_entry)) {
            counters_.pages_dropped += before;
            ++counters_.regions_dropped;
            drop_region(region, sweep);
            return;
        }
    } else {
        region.present.for_each([&](std::uint32_t slot) {
            if (!agrees(region, region.entries[slot], region.page(slot), directory_entry)) drop_page(region, slot, sweep);
        });
    }
    counters_.pages_kept += region.present_pages;
    counters_.pages_dropped += before - region.present_pages;
    ++(region.present_pages != 0 ? counters_.regions_kept : counters_.regions_dropped);
    if (region.present_pages == 0) store_.release(region);
}

/// Compares what a space holds with the tables in force and drops what they do not give any more.
template <PhysicalMemory Memory, Hardware Backend>
void ShadowMmu<Memory, Backend>::revalidate(SpaceId space) {
    if (context_.mode == PagingMode::none) return;
    Sweep sweep(*this, space);
    store_.for_each_region(space, [&](Region& region) { revalidate_region(region, sweep); });
}

template <PhysicalMemory Memory, Hardware Backend>
void ShadowMmu<Memory, Backend>::switch_to(SpaceId next) {
    store_.space(next).last_used = ++switches_;
    if (next == current_) return;
    ++counters_.switches;
    if constexpr (kSingleSpace) {
        {
            Sweep sweep(*this, current_, next);
            store_.for_each_region(current_, [&](Region& region) {
                if (region.live_pages != 0) hand_over(region, next, sweep);
            });
        }
        current_ = next;
        map_recent(next);
    } else {
        current_ = next;
        hardware_.activate(hardware_space(next));
    }
}

/// Are the live pages of the other region in this one too, with equal translations?
template <PhysicalMemory Memory, Hardware Backend>
bool ShadowMmu<Memory, Backend>::covers(const Region& region, const Region& other) {
    if (region.large != other.large) return false;
    for (std::uint32_t word = 0; word < PageSet::kWords; ++word) {
        if ((other.live.words[word] & ~region.present.words[word]) != 0) return false;
    }
    if (other.large) {
        const std::uint32_t slot = other.live.first();
        return region.entries[slot] == other.entries[slot];
    }
    bool equal = true;
    other.live.for_each([&](std::uint32_t slot) { equal = equal && region.entries[slot] == other.entries[slot]; });
    return equal;
}

/// Puts into a space what its tables, in force by now, give of the pages that are live in a region of the one before:
/// kernels without global pages (PTI) have the same mappings in all spaces.
template <PhysicalMemory Memory, Hardware Backend>
void ShadowMmu<Memory, Backend>::adopt(const Region& from, SpaceId to) {
    const auto belongs = [&](const std::optional<Translation>& now) {
        return now && now->accessed && now->large == from.large && !(now->global && context_.global_pages);
    };
    if (from.large) {
        const std::optional<Translation> start = large_at(from.index);
        if (!belongs(start)) return;
        if (Region* const region = prepare_region(to, from.index, *start, false)) set_large(*region, *start);
        return;
    }
    const std::uint64_t directory_entry =
        read_directory_entry(memory_, context_, {from.page(0).number << kPageShift}).value;
    if ((directory_entry & entry::kPresent) == 0) return;
    Region* region = nullptr;
    from.live.for_each([&](std::uint32_t slot) {
        const std::optional<Translation> now =
            look_up(memory_, context_, directory_entry, {from.page(slot).number << kPageShift});
        if (!belongs(now)) return;
        const std::optional<RamPage> ram = memory_.ram_page(now->page);
        if (!ram || *ram != from.entries[slot].ram()) return;
        if (region == nullptr) region = prepare_region(to, from.index, *now, false);
        if (region != nullptr) store_.set(*region, slot, ShadowEntry::make(*ram, shadow_flags(*now)));
    });
}

/// Leaves mapped what the next space maps alike, and unmaps the rest of the region.
template <PhysicalMemory Memory, Hardware Backend>
void ShadowMmu<Memory, Backend>::hand_over(Region& from, SpaceId to, Sweep& sweep) {
    Region* target = store_.find(to, from.index);
    if (target == nullptr || !covers(*target, from)) {
        adopt(from, to);
        target = store_.find(to, from.index);
    }
    if (target != nullptr && covers(*target, from)) {
        counters_.pages_moved += from.live_pages;
        store_.move_live(from, *target);
        return;
    }
    from.live.for_each([&](std::uint32_t slot) {
        const ShadowEntry old = from.entries[slot];
        const bool writable = from.writable.has(slot);
        store_.clear_live(from, slot);
        if (target != nullptr && target->present.has(slot)) {
            const ShadowEntry entry = target->entries[slot];
            const bool wide_enough = !writable || allowed(entry).write;
            if (entry.ram() == old.ram() && wide_enough && visible(entry, from.page(slot))) {
                store_.set_live(*target, slot, writable);
                ++counters_.pages_moved;
                return;
            }
        }
        sweep.add(from.page(slot));
    });
}

/// Maps the runs that the space had filled last, before its code faults on them. Nothing tells whether it still uses
/// them: now and then it has to fault on them again.
template <PhysicalMemory Memory, Hardware Backend>
void ShadowMmu<Memory, Backend>::map_recent(SpaceId id) {
    Space& space = store_.space(id);
    if (++space.entries >= config_.eager_entries) space.recent_count = space.entries = 0;
    const std::uint32_t known = std::min(space.recent_count, Space::kRecent);
    for (std::uint32_t i = 0; i < std::min(known, config_.eager_runs); ++i) {
        const LinearPage page{space.recent[(space.recent_count - 1 - i) % Space::kRecent]};
        const std::uint32_t slot = page.number & (kRegionPages - 1);
        const Region* const region = store_.find(id, page.number >> kRegionShift);
        if (region == nullptr || !region->present.has(slot) || region->live.has(slot)) continue;
        const auto joins = [&](std::uint32_t low) {
            return region->present.has(low) && region->present.has(low + 1) &&
                   region->entries[low].ram().number + 1 == region->entries[low + 1].ram().number;
        };
        std::uint32_t first = slot;
        std::uint32_t last = slot;
        while (last + 1 < kRegionPages && joins(last)) ++last;
        while (first > 0 && joins(first - 1)) --first;
        if (!has_room()) return;
        ++counters_.eager_maps;
        if (!emit(id, region->page(first), region->page(last), page)) return; // the host is full: lazily, then
    }
}

template <PhysicalMemory Memory, Hardware Backend>
void ShadowMmu<Memory, Backend>::hide_supervisor_pages(SpaceId id) {
    Sweep sweep(*this, id);
    store_.for_each_region(id, [&](Region& region) {
        if (region.live_pages == 0 || region.page(0) >= store_.user_limit()) return;
        region.live.for_each([&](std::uint32_t slot) {
            const LinearPage page = region.page(slot);
            if (region.entries[slot].has(ShadowEntry::kUser) || page >= store_.user_limit()) return;
            store_.clear_live(region, slot);
            sweep.add(page);
            ++counters_.pages_hidden;
        });
    });
}

} // namespace ringone::mmu
