// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
//
// Between VCpu, where the guest's state is architectural, and the hardware, where flags are split and segments
// are shadows.
#include "vmm/monitor/monitor.hpp"

#include <algorithm>
#include <cstring>

namespace ringone::vmm {
namespace {

/// RF and VM live in VCpu only: RF ends with the next instruction, VM is part of the code context.
constexpr std::uint32_t kVirtualFlags = ~(eflags::kHardware | eflags::kInterrupt | eflags::kResume);

/// Alignment checks are the hardware's where the guest's user mode has them on; kernels have none at CPL 0, but
/// their fragments run at CPL 3: there AC is virtual.
bool alignment_checks(const VCpu& vcpu) {
    return vcpu.cpl == 3 && (vcpu.cr0 & cr0::kAm) != 0 && (vcpu.eflags & eflags::kAlignmentCheck) != 0;
}

/// A segment in which every access faults.
constexpr ShadowDescriptor kEmpty{0, 0xFFFFFFFF, true, true, true, true};

} // namespace

/// First address that segments of the privilege must not reach.
std::uint32_t Monitor::limit_of(bool user) const { return user ? memory_.user_limit() : world_.zone().guest_limit; }

ShadowDescriptor Monitor::shadow_of(bool user, const SegmentCache& s, bool as_data) const {
    if (!s.usable) return {0, 0, false, false, false, false};
    const bool real = !vcpu_.protected_mode() || vcpu_.virtual_8086();
    if (as_data && !real && !s.readable()) return {0, 0, false, false, false, false};
    const std::uint32_t zone = limit_of(user);
    ShadowDescriptor d{};
    d.usable = true;
    d.base = s.base;
    d.writable = real ? !as_data : s.writable();
    d.big = s.big();
    if (s.expand_down()) {
        const std::uint32_t upper = s.big() ? 0xFFFFFFFF : 0xFFFF;
        const bool wraps = s.base > 0xFFFFFFFF - upper;
        if (wraps || s.base + upper >= zone) return kEmpty;
        d.expand_down = true;
        d.limit = s.limit;
        return d;
    }
    if (s.base >= zone) return kEmpty;
    d.limit = std::min(s.limit, zone - 1 - s.base);
    return d;
}

/// The part of a segment whose addresses wrap at 4 GiB: offsets above 4 GiB - base, which the truncated shadow cannot
/// have. Expand-down segments reach just that.
ShadowDescriptor Monitor::wrapped_shadow_of(bool user, const SegmentCache& s) const {
    const std::uint32_t zone = limit_of(user);
    const bool wraps = s.usable && !s.expand_down() && s.base != 0 && s.limit == 0xFFFFFFFF && s.base <= zone;
    if (!wraps) return kEmpty;
    return {s.base, 0U - s.base - 1U, s.writable(), true, true, true};
}

/// `role`: a segment, CS meaning what reads it as data; or kShadowRoles - 1 for the wrapping part of what FS holds.
std::uint16_t Monitor::shadow_selector(bool user, std::uint32_t role, const SegmentCache& segment) {
    // In real-address and virtual-8086 mode the same hidden part means something else.
    const bool real = !vcpu_.protected_mode() || vcpu_.virtual_8086();
    const std::uint32_t limit = limit_of(user);
    KnownShadow& known = known_shadows_[user ? 1 : 0][role];
    if (!real && known.epoch == world_.selector_epoch() && known.limit == limit && known.segment == segment)
        return known.selector;
    const bool code = role == static_cast<std::uint32_t>(Segment::cs);
    const std::uint16_t selector = world_.selector_for(
        role == kShadowRoles - 1 ? wrapped_shadow_of(user, segment) : shadow_of(user, segment, code));
    known = {segment, limit, selector, real ? 0 : world_.selector_epoch()};
    return selector;
}

/// The shadow of one of ES, DS, FS and GS for user mode; kNoPassage where returning there would empty the register.
std::uint32_t Monitor::passage_shadow(Segment segment, const SegmentCache& cache) {
    constexpr unsigned kUser = 3;
    if (cache.usable && !cache.conforming() && cache.dpl() < kUser) return translator::kNoPassage;
    return shadow_selector(true, static_cast<std::uint32_t>(segment), cache);
}

/// What fragments of one privilege load, with the data segments in force.
void Monitor::load_mode(bool user, const SegmentCache& cs, const SegmentCache& ss) {
    translator::ModeSegments& m = world_.zone().gs->modes[user ? 1 : 0];
    const bool here = user == user_mode();
    const auto shadow = [&](Segment s) -> std::uint32_t {
        const SegmentCache& cache = vcpu_.segment(s);
        if (user && !here) return passage_shadow(s, cache);
        return shadow_selector(user, static_cast<std::uint32_t>(s), cache);
    };
    const bool holds_gs = here ? fs_holds_gs_ : user;
    const Segment held = holds_gs ? Segment::gs : Segment::fs;
    m.es = shadow(Segment::es);
    m.ds = shadow(Segment::ds);
    m.swap_fs = shadow(held);
    m.swap_other = shadow(holds_gs ? Segment::fs : Segment::gs);
    m.swap_wrap = shadow_selector(user, kShadowRoles - 1, vcpu_.segment(held));
    m.ss = shadow_selector(user, static_cast<std::uint32_t>(Segment::ss), ss);
    m.swap_cs = shadow_selector(user, static_cast<std::uint32_t>(Segment::cs), cs);
    m.cs_selector = cs.selector;
    m.ss_selector = ss.selector;
}

void Monitor::load_segments() {
    GuestContext& c = world_.context();
    translator::GsArea& gs = *world_.zone().gs;
    const bool user = user_mode();
    load_mode(user, vcpu_.segment(Segment::cs), vcpu_.segment(Segment::ss));
    if (const Destination& other = user ? kernel_ : user_; other.open) load_mode(!user, other.cs, other.ss);
    const translator::ModeSegments& m = gs.modes[user ? 1 : 0];
    c.es = static_cast<std::uint16_t>(m.es);
    c.ss = static_cast<std::uint16_t>(m.ss);
    c.ds = static_cast<std::uint16_t>(m.ds);
    c.fs = static_cast<std::uint16_t>(m.swap_fs);
    for (std::size_t i = 0; i < kSegmentCount; ++i) gs.guest_selectors[i][0] = vcpu_.segments[i].selector;
}

void Monitor::load_hardware() {
    GuestContext& c = world_.context();
    translator::GsArea& gs = *world_.zone().gs;
    const bool fs_holds_gs = translator_.cache().context(context_id_).fs_holds_gs;
    memory_.set_user(user_mode());
    check_ways();
    check_passages();
    const std::uint32_t limit = limit_of(user_mode());
    const bool same = loaded_limit_ == limit && fs_holds_gs == fs_holds_gs_ &&
                      std::memcmp(loaded_, vcpu_.segments.data(), sizeof loaded_) == 0;
    if (!same) {
        fs_holds_gs_ = fs_holds_gs;
        load_segments();
        std::memcpy(loaded_, vcpu_.segments.data(), sizeof loaded_);
        loaded_limit_ = limit;
        ++counters_.segment_loads;
        check_ways(); // shadows may have gone
    }
    c.fs = static_cast<std::uint16_t>(gs.modes[user_mode() ? 1 : 0].swap_fs); // a fault may have left another
    std::memcpy(c.gpr, vcpu_.gpr.data(), sizeof c.gpr);
    c.flags = vcpu_.eflags & (eflags::kHardware | (alignment_checks(vcpu_) ? eflags::kAlignmentCheck : 0U));
    gs.virtual_if = vcpu_.eflags & eflags::kInterrupt;
    gs.virtual_flags = vcpu_.eflags & kVirtualFlags;
    gs.flags_delta = gs.virtual_flags - translator::kHardwareSystemFlags;
    gs.interrupt_waits = interrupt_line_ ? 1 : 0;
}

void Monitor::save_hardware() {
    const GuestContext& c = world_.context();
    const translator::GsArea& gs = *world_.zone().gs;
    std::memcpy(vcpu_.gpr.data(), c.gpr, sizeof c.gpr);
    vcpu_.eflags = (c.flags & eflags::kHardware) | gs.virtual_flags | gs.virtual_if;
}

translator::CodeContext Monitor::code_context(const SegmentCache& cs, const SegmentCache& ss, std::uint8_t cpl) const {
    translator::CodeContext c;
    c.cs_base = cs.base;
    c.cs_limit = cs.limit;
    c.code_size = cs.big() ? translator::CodeSize::bits32 : translator::CodeSize::bits16;
    c.stack_32 = ss.big();
    c.cpl = cpl;
    c.virtual_8086 = vcpu_.virtual_8086();
    c.protected_mode = vcpu_.protected_mode();
    c.view = views_.current(cpl == 3 || c.virtual_8086);
    c.fpu_emulated = (vcpu_.cr0 & cr0::kEm) != 0;
    c.task_switched = (vcpu_.cr0 & cr0::kTs) != 0;
    c.monitor_coprocessor = (vcpu_.cr0 & cr0::kMp) != 0;
    c.osfxsr = (vcpu_.cr4 & cr4::kOsfxsr) != 0;
    c.tsc_restricted = vcpu_.tsc_offset != 0 || ((vcpu_.cr4 & cr4::kTsd) != 0 && cpl != 0);
    c.fs_holds_gs = cpl == 3; // thread-local storage lies there; kernels use FS
    return c;
}

} // namespace ringone::vmm
