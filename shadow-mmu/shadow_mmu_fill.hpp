// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
//
// Part of shadow_mmu.hpp: what a fault comes to, and filling the shadow in runs.
#pragma once

#include "shadow-mmu/shadow_mmu.hpp"

#include <algorithm>

namespace ringone::mmu {

template <PhysicalMemory Memory, Hardware Backend>
FaultResult ShadowMmu<Memory, Backend>::on_fault(GuestVirtual linear, Access access) {
    using Kind = FaultResult::Kind;
    const LinearPage page = linear.page();
    const Walk walked = walk(memory_, context_, linear, access);
    if (walked.faulted) {
        ++counters_.injected_faults;
        // As on the CPU, the fault drops what the TLB had for the page (SDM Vol. 3 section 4.10.4.1).
        make_room();
        drop_translation(page);
        return {.kind = Kind::guest_fault, .error_code = walked.error_code, .physical = {}};
    }
    FaultResult result{.physical = walked.physical(linear)};
    const std::optional<RamPage> ram = memory_.ram_page(walked.translation.page);
    if (!ram) {
        ++counters_.mmio_faults;
        result.kind = Kind::mmio;
    } else if (access.type == AccessType::write && store_.traces(*ram) != 0) {
        ++counters_.write_traps;
        result.kind = Kind::write_trapped;
        result.traces = store_.traces(*ram);
    } else if (mappable(page, access, walked.translation) && fill(page, walked.translation, *ram)) {
        ++counters_.hidden_faults;
    } else {
        ++counters_.emulated_faults;
        result.kind = Kind::emulate;
    }
    return result;
}

template <PhysicalMemory Memory, Hardware Backend>
bool ShadowMmu<Memory, Backend>::prefill(GuestVirtual linear) {
    Translation translation = identity(linear);
    if (context_.mode != PagingMode::none) {
        const TableEntry directory = read_directory_entry(memory_, context_, linear);
        const std::optional<Translation> found = look_up(memory_, context_, directory.value, linear);
        if (!found || !found->accessed) return false;
        translation = *found;
    }
    const Access access{.type = AccessType::read, .user = user_view_};
    const std::optional<RamPage> ram = memory_.ram_page(translation.page);
    if (!ram || !mappable(linear.page(), access, translation)) return false;
    ++counters_.prefills;
    return fill(linear.page(), translation, *ram);
}

/// Shadow flags of a translation.
[[nodiscard]] constexpr std::uint32_t shadow_flags(const Translation& translation) {
    return (translation.write ? ShadowEntry::kWrite : 0) | (translation.user ? ShadowEntry::kUser : 0) |
           (translation.execute ? ShadowEntry::kExecute : 0) | (translation.dirty ? ShadowEntry::kDirty : 0);
}

template <PhysicalMemory Memory, Hardware Backend>
Protection ShadowMmu<Memory, Backend>::allowed(ShadowEntry entry) const {
    // With CR0.WP clear the supervisor writes to read-only pages; where the page is the user's too, the mapping
    // would let the user write.
    const bool writable = entry.has(ShadowEntry::kWrite) ||
                          (!context_.write_protect && !entry.has(ShadowEntry::kUser));
    // D has to be set by a walk first.
    return {.write = writable && entry.has(ShadowEntry::kDirty) && store_.traces(entry.ram()) == 0,
            .user = Backend::kEnforcesUser && entry.has(ShadowEntry::kUser),
            .execute = Backend::kEnforcesExecute && entry.has(ShadowEntry::kExecute)};
}

/// Do these flags come to the same mapping? Kernels tell code from data page by page where there is NX; a run need not
/// end there when the hardware does not know the difference.
template <PhysicalMemory Memory, Hardware Backend>
bool ShadowMmu<Memory, Backend>::alike(std::uint32_t flags, std::uint32_t others) {
    const std::uint32_t compared = ShadowEntry::kWrite | ShadowEntry::kUser | ShadowEntry::kDirty |
                                   (Backend::kEnforcesExecute ? ShadowEntry::kExecute : 0);
    return ((flags ^ others) & compared) == 0;
}

template <PhysicalMemory Memory, Hardware Backend>
bool ShadowMmu<Memory, Backend>::visible(ShadowEntry entry, LinearPage page) const {
    return Backend::kEnforcesUser || !user_view_ || entry.has(ShadowEntry::kUser) || page >= store_.user_limit();
}

template <PhysicalMemory Memory, Hardware Backend>
bool ShadowMmu<Memory, Backend>::mappable(LinearPage page, Access access, const Translation& translation) const {
    if (page.number >= config_.linear_limit) return false;
    if (access.type == AccessType::write && !translation.write && translation.user) return false; // CR0.WP clear
    const bool beyond_limit = !Backend::kEnforcesUser && access.user && page >= store_.user_limit();
    return !beyond_limit && visible({shadow_flags(translation)}, page);
}

/// False when the host has no room for the page itself.
template <PhysicalMemory Memory, Hardware Backend>
bool ShadowMmu<Memory, Backend>::fill(LinearPage page, const Translation& translation, RamPage ram) {
    ++counters_.fills;
    make_room();
    const SpaceId space = translation.global && context_.global_pages ? kGlobalSpace : current_;
    const bool done = translation.large ? fill_large(space, page, translation, ram)
                                        : fill_small(space, page, translation, ram);
    if (done) record_fill(space, page);
    return done;
}

/// Is this what the shadow has, so that there is nothing to put in?
template <PhysicalMemory Memory, Hardware Backend>
bool ShadowMmu<Memory, Backend>::filled(const Region& region, std::uint32_t slot, ShadowEntry entry) const {
    return region.present.has(slot) && region.entries[slot] == entry;
}

/// The entry of page `to` when its translation continues the run of page `from`, in RAM and in rights, and it is not
/// mapped so already.
template <PhysicalMemory Memory, Hardware Backend>
std::optional<ShadowEntry> ShadowMmu<Memory, Backend>::extension(const Region& region, const Translation& first,
                                                                 LinearPage from, RamPage ram, LinearPage to) {
    if (to.number >= config_.linear_limit) return {};
    const std::optional<Translation> other =
        look_up(memory_, context_, first.directory_entry, {to.number << kPageShift});
    if (!other || !other->accessed || other->global != first.global) return {};
    const std::optional<RamPage> other_ram = memory_.ram_page(other->page);
    const RamPage expected{ram.number + to.number - from.number};
    if (!other_ram || *other_ram != expected) return {};
    const ShadowEntry here = ShadowEntry::make(ram, shadow_flags(first));
    const ShadowEntry there = ShadowEntry::make(expected, shadow_flags(*other));
    if (!alike(here.bits, there.bits) || allowed(here) != allowed(there)) return {};
    const std::uint32_t slot = to.number & (kRegionPages - 1);
    const bool mapped = kSingleSpace && region.live.has(slot) && filled(region, slot, there) &&
                        region.writable.has(slot) == allowed(there).write;
    if (mapped) return {};
    return there;
}

template <PhysicalMemory Memory, Hardware Backend>
bool ShadowMmu<Memory, Backend>::fill_small(SpaceId space, LinearPage page, const Translation& translation,
                                            RamPage ram) {
    Region* const region = prepare_region(space, page.number >> kRegionShift, translation, true);
    if (region == nullptr) return false;
    const std::uint32_t base = region->page(0).number;
    const std::uint32_t budget = config_.fill_neighbours ? std::min(config_.max_run_pages, kRegionPages) : 1;
    LinearPage first = page;
    LinearPage last = page;
    put(*region, page.number - base, ShadowEntry::make(ram, shadow_flags(translation)));
    const auto take = [&](LinearPage to) {
        if (last.number - first.number + 1 >= budget) return false;
        const std::optional<ShadowEntry> entry = extension(*region, translation, page, ram, to);
        if (entry) put(*region, to.number - base, *entry);
        return entry.has_value();
    };
    while (last.number + 1 < base + kRegionPages && take({last.number + 1})) ++last.number;
    while (first.number > base && take({first.number - 1})) --first.number;
    return emit(space, first, last, page);
}

/// The large translation of the first page of a region, if there is one that is accessed.
template <PhysicalMemory Memory, Hardware Backend>
std::optional<Translation> ShadowMmu<Memory, Backend>::large_at(std::uint32_t index) {
    const GuestVirtual linear{index << kRegionShift << kPageShift};
    if (context_.mode == PagingMode::none) return identity(linear);
    const TableEntry directory = read_directory_entry(memory_, context_, linear);
    if (!is_large(context_, directory.value)) return {};
    const std::optional<Translation> found = look_up(memory_, context_, directory.value, linear);
    if (!found || !found->accessed) return {};
    return found;
}

template <PhysicalMemory Memory, Hardware Backend>
void ShadowMmu<Memory, Backend>::set_large(Region& region, const Translation& translation) {
    const std::uint32_t first = region.page(0).number;
    const std::uint32_t pages = std::min(kRegionPages, config_.linear_limit - first);
    const std::uint32_t flags = shadow_flags(translation);
    for (std::uint32_t slot = 0; slot < pages; ++slot) {
        const GuestPhysical at{translation.page.address + (static_cast<std::uint64_t>(slot) << kPageShift)};
        if (const std::optional<RamPage> ram = memory_.ram_page(at)) put(region, slot, ShadowEntry::make(*ram, flags));
        else drop_if_present(region.space, region.page(slot));
    }
}

/// Takes the region at `index` into a run of large pages when it continues it and there is a free region for it.
template <PhysicalMemory Memory, Hardware Backend>
bool ShadowMmu<Memory, Backend>::large_neighbour(SpaceId space, const Translation& first, LinearPage from,
                                                 std::uint32_t index) {
    const std::optional<Translation> other = large_at(index);
    if (!other || other->global != first.global || !alike(shadow_flags(*other), shadow_flags(first))) return false;
    const std::uint64_t distance = (static_cast<std::uint64_t>(index << kRegionShift) - from.number) << kPageShift;
    const std::optional<RamPage> ram = memory_.ram_page(other->page);
    if (other->page.address != first.page.address + distance || !ram) return false;
    Region* const region = prepare_region(space, index, *other, false);
    if (region == nullptr) return false;
    // Filled before: it is mapped too, or a fault of its own will tell; each linear space has to be filled, though.
    if (filled(*region, 0, ShadowEntry::make(*ram, shadow_flags(*other)))) return !kSingleSpace;
    set_large(*region, *other);
    return true;
}

template <PhysicalMemory Memory, Hardware Backend>
bool ShadowMmu<Memory, Backend>::fill_large(SpaceId space, LinearPage page, const Translation& translation,
                                            RamPage ram) {
    const std::uint32_t index = page.number >> kRegionShift;
    Region* const region = prepare_region(space, index, translation, true);
    if (region == nullptr) return false;
    if (kSingleSpace && filled(*region, page.number & (kRegionPages - 1),
                               ShadowEntry::make(ram, shadow_flags(translation)))) {
        // Evicted, hidden, or traced no more.
        drop_if_present(space == kGlobalSpace ? current_ : kGlobalSpace, page);
        return emit(space, region->page(0), region->page(kRegionPages - 1), page);
    }
    const std::optional<Translation> start = large_at(index);
    if (!start) return false;
    set_large(*region, *start);
    const std::uint32_t budget = std::max(config_.max_run_pages / kRegionPages, 1U);
    const std::uint32_t end = (config_.linear_limit + kRegionPages - 1) >> kRegionShift;
    std::uint32_t first = index;
    std::uint32_t last = index;
    while (last - first + 1 < budget && last + 1 < end && large_neighbour(space, translation, page, last + 1)) ++last;
    while (last - first + 1 < budget && first > 0 && large_neighbour(space, translation, page, first - 1)) --first;
    return emit(space, {first << kRegionShift},
                {std::min(((last + 1) << kRegionShift), config_.linear_limit) - 1}, page);
}

/// The region, empty or with pages of the same kind. Null when none is free and `evict` is false.
template <PhysicalMemory Memory, Hardware Backend>
Region* ShadowMmu<Memory, Backend>::prepare_region(SpaceId space, std::uint32_t index, const Translation& translation,
                                                   bool evict) {
    Region* region = store_.find(space, index);
    if (region != nullptr && region->large != translation.large) {
        Sweep sweep(*this, space);
        drop_region(*region, sweep);
        region = nullptr;
    }
    if (region == nullptr) {
        region = store_.allocate(space, index);
        while (region == nullptr && evict && evict_region(space)) region = store_.allocate(space, index);
        if (region != nullptr) region->large = translation.large;
    }
    return region;
}

/// Sets an entry; unmaps what the hardware has there when it must not stay until the run is mapped.
template <PhysicalMemory Memory, Hardware Backend>
void ShadowMmu<Memory, Backend>::put(Region& region, std::uint32_t slot, ShadowEntry entry) {
    const LinearPage page = region.page(slot);
    drop_if_present(region.space == kGlobalSpace ? current_ : kGlobalSpace, page);
    if (region.live.has(slot)) {
        const ShadowEntry old = region.entries[slot];
        constexpr std::uint32_t kKind = ShadowEntry::kUser | ShadowEntry::kExecute;
        const bool narrower = region.writable.has(slot) && !allowed(entry).write;
        if (old.ram() != entry.ram() || (old.bits & kKind) != (entry.bits & kKind) || narrower) {
            store_.clear_live(region, slot);
            unmap(region.space, {page, 1});
        }
    }
    store_.set(region, slot, entry);
}

/// What the hardware has to be told of a page, if anything.
template <PhysicalMemory Memory, Hardware Backend>
auto ShadowMmu<Memory, Backend>::needed(SpaceId space, LinearPage page) -> std::optional<MapRun> {
    const std::uint32_t index = page.number >> kRegionShift;
    const std::uint32_t slot = page.number & (kRegionPages - 1);
    const Region* const region = store_.find(space, index);
    if (region == nullptr || !region->present.has(slot)) return {};
    const Region* const other = store_.find(space == kGlobalSpace ? current_ : kGlobalSpace, index);
    if (other != nullptr && other->live.has(slot)) return {};
    const ShadowEntry entry = region->entries[slot];
    if (!visible(entry, page)) return {};
    const Protection protection = allowed(entry);
    // With many linear spaces a global page that is live in one may still be missing in the current one.
    const bool live = kSingleSpace && region->live.has(slot);
    if (live && region->writable.has(slot) == protection.write) {
        ++counters_.pages_found_mapped;
        return {};
    }
    return MapRun{.linear = {page, 1}, .ram = entry.ram(), .protection = protection, .live = live};
}

/// Has the hardware map what the entries of the pages allow: the run that `page` is in, and the others of the range
/// as long as there is room. False when the hardware had none for `page`.
template <PhysicalMemory Memory, Hardware Backend>
bool ShadowMmu<Memory, Backend>::emit(SpaceId space, LinearPage first, LinearPage last, LinearPage page) {
    std::uint32_t low = page.number;
    std::uint32_t high = page.number + 1;
    if (std::optional<MapRun> run = needed(space, page)) {
        for (; high <= last.number; ++high) {
            const std::optional<MapRun> next = needed(space, {high});
            if (!next || !run->joins(*next)) break;
            ++run->linear.pages;
        }
        for (; low > first.number; --low) {
            std::optional<MapRun> before = needed(space, {low - 1});
            if (!before || !before->joins(*run)) break;
            before->linear.pages += run->linear.pages;
            run = before;
        }
        if (!map_run(space, *run, true)) return false;
    }
    emit_optional(space, first, low);
    emit_optional(space, {high}, last.number + 1);
    if (live_page(page)) return true;
    const std::optional<MapRun> again = needed(space, page); // the hardware refused another page's new protection
    return again && map_run(space, *again, true);
}

/// Maps the runs of [first, end) until the hardware, or the budget, has no room.
template <PhysicalMemory Memory, Hardware Backend>
void ShadowMmu<Memory, Backend>::emit_optional(SpaceId space, LinearPage first, std::uint32_t end) {
    MapRun run{};
    for (std::uint32_t number = first.number; number < end; ++number) {
        const std::optional<MapRun> next = needed(space, {number});
        if (next && run.joins(*next)) {
            ++run.linear.pages;
            continue;
        }
        if (!map_run(space, run, false)) return;
        run = next ? *next : MapRun{};
    }
    (void)map_run(space, run, false);
}

/// False when there is no room; if it must be mapped, everything else goes first.
template <PhysicalMemory Memory, Hardware Backend>
bool ShadowMmu<Memory, Backend>::map_run(SpaceId space, MapRun run, bool must) {
    if (run.linear.pages == 0) return true;
    if (!has_room()) {
        if (!must) return false;
        unmap_everything();
        run.live = false;
    }
    const HardwareSpace where = hardware_space(current_);
    if (run.live && hardware_.protect(where, run.linear, run.protection)) {
        ++counters_.upgrades;
    } else {
        if (run.live) { // some of its pages may have the new protection
            ++counters_.map_failures;
            unmap_everything();
        }
        if (!hardware_.map(where, run.linear, run.ram, run.protection)) {
            ++counters_.map_failures;
            if (!must) return false;
            unmap_everything();
            if (!hardware_.map(where, run.linear, run.ram, run.protection)) return false;
        }
        ++counters_.runs_mapped;
        counters_.pages_mapped += run.linear.pages;
        record_run(run.linear.first);
    }
    run_bound_ += kRunsOfOneUpdate;
    for (std::uint32_t page = run.linear.first.number; page < run.end(); ++page) {
        store_.set_live(*store_.find(space, page >> kRegionShift), page & (kRegionPages - 1), run.protection.write);
    }
    return true;
}

/// Remembers the run for its eviction.
template <PhysicalMemory Memory, Hardware Backend>
void ShadowMmu<Memory, Backend>::record_run(LinearPage page) {
    if constexpr (kSingleSpace) {
        if (fill_count_ == config_.max_runs) { // its run is older than any other: left to be evicted with the rest
            fill_first_ = (fill_first_ + 1) % config_.max_runs;
            --fill_count_;
        }
        fill_ring_[(fill_first_ + fill_count_) % config_.max_runs] = page.number;
        ++fill_count_;
    }
}

/// Remembers the page for the next time that its space is entered.
template <PhysicalMemory Memory, Hardware Backend>
void ShadowMmu<Memory, Backend>::record_fill(SpaceId space, LinearPage page) {
    if constexpr (kSingleSpace) {
        Space& owner = store_.space(space);
        const std::uint32_t known = std::min(owner.recent_count, Space::kRecent);
        if (std::find(owner.recent, owner.recent + known, page.number) != owner.recent + known) return;
        owner.recent[owner.recent_count++ % Space::kRecent] = page.number;
    }
}

} // namespace ringone::mmu
