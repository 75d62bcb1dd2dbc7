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
    ways_gdtr_ = vcpu_.gdtr;
    ways_epoch_ = world_.selector_epoch();
}

/// Before fragments run: is what the ways were made from still so?
void Monitor::check_ways() {
    const bool same_table = ways_gdtr_.base == vcpu_.gdtr.base && ways_gdtr_.limit == vcpu_.gdtr.limit;
    if (memory_.take_table_change() || !same_table || ways_epoch_ != world_.selector_epoch()) forget_ways();
}

/// The monitor has loaded `segment` by MOV or POP: fragments may do so from now on.
void Monitor::remember_way(Segment segment) {
    const SegmentCache& loaded = vcpu_.segment(segment);
    const bool kernel = vcpu_.cpl == 0 && vcpu_.protected_mode() && !vcpu_.virtual_8086();
    if (!kernel || !translator_.options().inline_selector_loads || segment == Segment::ss) return;
    check_ways();
    if (!is_null(loaded.selector)) {
        const std::optional<std::uint32_t> at = descriptor_address(vcpu_, loaded.selector);
        const bool local = (loaded.selector & kSelectorLocal) != 0;
        if (!at || local || *at % kPage + kDescriptorBytes > kPage || !memory_.watch_table(*at / kPage)) return;
        check_ways(); // it may have been another page until now
    }
    translator::GsArea& gs = *world_.zone().gs;
    const auto s = static_cast<std::uint32_t>(segment);
    std::uint32_t way = 0;
    while (way < translator::kSelectorWays && gs.ways[way][s].selector != loaded.selector) ++way;
    if (way == translator::kSelectorWays) way = next_way_[s] = (next_way_[s] + 1) % translator::kSelectorWays;
    const Segment held = fs_holds_gs_ ? Segment::gs : Segment::fs;
    const std::uint16_t shadow = shadow_selector(s, loaded);
    const std::uint32_t wrap = segment == held ? shadow_selector(kShadowRoles - 1, loaded) : 0;
    if (ways_epoch_ != world_.selector_epoch()) { // a shadow has gone, perhaps one of ours
        forget_ways();
        return;
    }
    gs.ways[way][s] = {loaded.selector, shadow, wrap};
    way_segments_[way][s] = loaded;
}

/// After fragments ran: takes over what they have loaded. `loaded_` too, since the hardware has it.
void Monitor::take_ways() {
    GuestContext& c = world_.context();
    translator::GsArea& gs = *world_.zone().gs;
    for (std::uint32_t s = 0; s < kSegmentCount; ++s) {
        const std::uint32_t way = gs.loaded_way[s];
        if (way == 0) continue;
        gs.loaded_way[s] = 0;
        ++counters_.inlined_segment_loads;
        std::memcpy(&vcpu_.segments[s], &way_segments_[way - 1][s], sizeof(SegmentCache));
        std::memcpy(&loaded_[s], &way_segments_[way - 1][s], sizeof(SegmentCache));
        const auto shadow = static_cast<std::uint16_t>(gs.ways[way - 1][s].shadow);
        const auto segment = static_cast<Segment>(s);
        if (segment == Segment::es) c.es = shadow;
        if (segment == Segment::ds) c.ds = shadow;
        if (segment == (fs_holds_gs_ ? Segment::gs : Segment::fs)) c.fs = shadow;
    }
}

} // namespace ringone::vmm
