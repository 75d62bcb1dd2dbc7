// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
//
// Segment registers that fragments of the guest's kernel load by themselves: the selectors loaded last, with what the
// monitor found in their descriptors. The page of those descriptors is traced: a write to it makes the monitor forget.
#include "vmm/monitor/monitor.hpp"

#include "vmm/monitor/system/segmentation.hpp"

#include <cstring>

namespace ringone::vmm {
namespace {

constexpr std::uint32_t kPage = 4096;

} // namespace

void Monitor::forget_ways() {
    translator::GsArea& gs = *world_.zone().gs;
    for (auto& way : gs.ways)
        for (translator::SelectorWay& segment : way) segment.selector = translator::kNoSelector;
    table_page_ = kNoTable;
    ways_gdtr_ = vcpu_.gdtr;
    ways_epoch_ = world_.selector_epoch();
}

/// Where the descriptors may have changed: only what is still made from the same one stays.
void Monitor::reread_ways() {
    translator::GsArea& gs = *world_.zone().gs;
    for (std::uint32_t way = 0; way < translator::kSelectorWays; ++way) {
        for (std::uint32_t s = 0; s < kSegmentCount; ++s) {
            std::uint32_t& selector = gs.ways[way][s].selector;
            if (selector == translator::kNoSelector) continue;
            std::uint64_t now = 0;
            if (!watched_descriptor(static_cast<std::uint16_t>(selector), now) || now != way_descriptors_[way][s])
                selector = translator::kNoSelector;
        }
    }
    reread_user();
}

/// Before fragments run: is what the ways were made from still so?
void Monitor::check_ways() {
    const bool same_table = ways_gdtr_.base == vcpu_.gdtr.base && ways_gdtr_.limit == vcpu_.gdtr.limit;
    const bool changed = memory_.take_table_change();
    if (!same_table || ways_epoch_ != world_.selector_epoch()) {
        forget_ways();
        reread_user();
    } else if (changed) {
        reread_ways();
    }
}

/// The GDT entry that a selector names, as long as writes to it are seen: those of one page are. A null selector has
/// none, and is good.
bool Monitor::watched_descriptor(std::uint16_t selector, std::uint64_t& raw) {
    raw = 0;
    if (is_null(selector)) return true;
    if ((selector & kSelectorLocal) != 0) return false;
    const std::optional<std::uint32_t> at = descriptor_address(vcpu_, selector);
    if (!at || *at % kPage + kDescriptorBytes > kPage || (table_page_ != kNoTable && table_page_ != *at / kPage)) return false;
    table_page_ = *at / kPage;
    if (!memory_.watch_table(table_page_)) return false;
    return !memory_.load(*at, raw, AccessPrivilege::supervisor);
}

/// The monitor has loaded `segment` by MOV or POP: fragments may do so from now on.
void Monitor::remember_way(Segment segment) {
    const SegmentCache& loaded = vcpu_.segment(segment);
    const bool kernel = vcpu_.cpl == 0 && vcpu_.protected_mode() && !vcpu_.virtual_8086();
    if (!kernel || !translator_.options().inline_selector_loads || segment == Segment::ss) return;
    check_ways();
    std::uint64_t descriptor = 0;
    if (!watched_descriptor(loaded.selector, descriptor)) return;
    check_ways(); // it may have been another page until now
    translator::GsArea& gs = *world_.zone().gs;
    const auto s = static_cast<std::uint32_t>(segment);
    std::uint32_t way = 0;
    while (way < translator::kSelectorWays && gs.ways[way][s].selector != loaded.selector) ++way;
    if (way == translator::kSelectorWays) way = next_way_[s] = (next_way_[s] + 1) % translator::kSelectorWays;
    const std::uint32_t shadow = shadow_selector(false, s, loaded);
    const std::uint32_t user_shadow = passage_shadow(segment, loaded);
    const bool held = segment == Segment::fs || segment == Segment::gs;
    const std::uint32_t wrap = held ? shadow_selector(segment == Segment::gs, kShadowRoles - 1, loaded) : 0;
    if (ways_epoch_ != world_.selector_epoch()) { // a shadow has gone, perhaps one of ours
        forget_ways();
        return;
    }
    gs.ways[way][s] = {loaded.selector, shadow, user_shadow, wrap};
    way_descriptors_[way][s] = descriptor;
    way_segments_[way][s] = loaded;
}

/// After fragments ran: takes over what they have loaded. `loaded_` too, since the hardware has it.
void Monitor::take_ways() {
    translator::GsArea& gs = *world_.zone().gs;
    for (std::uint32_t s = 0; s < kSegmentCount; ++s) {
        const std::uint32_t way = gs.loaded_way[s];
        if (way == 0) continue;
        gs.loaded_way[s] = 0;
        ++counters_.inlined_segment_loads;
        std::memcpy(&vcpu_.segments[s], &way_segments_[way - 1][s], sizeof(SegmentCache));
        std::memcpy(&loaded_[s], &way_segments_[way - 1][s], sizeof(SegmentCache));
    }
}

} // namespace ringone::vmm
