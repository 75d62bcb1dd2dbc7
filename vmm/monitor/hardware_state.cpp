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

ShadowDescriptor Monitor::shadow_of(const SegmentCache& s, bool as_data) const {
    if (!s.usable) return {0, 0, false, false, false, false};
    const bool real = !vcpu_.protected_mode() || vcpu_.virtual_8086();
    if (as_data && !real && !s.readable()) return {0, 0, false, false, false, false};
    const std::uint32_t zone = user_mode() ? memory_.user_limit() : world_.zone().guest_limit;
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
ShadowDescriptor Monitor::wrapped_shadow_of(const SegmentCache& s) const {
    const std::uint32_t zone = user_mode() ? memory_.user_limit() : world_.zone().guest_limit;
    const bool wraps = s.usable && !s.expand_down() && s.base != 0 && s.limit == 0xFFFFFFFF && s.base <= zone;
    if (!wraps) return kEmpty;
    return {s.base, 0U - s.base - 1U, s.writable(), true, true, true};
}

/// `role`: a segment, CS meaning what reads it as data; or kShadowRoles - 1 for the wrapping part of what FS holds.
std::uint16_t Monitor::shadow_selector(std::uint32_t role, const SegmentCache& segment) {
    // In real-address and virtual-8086 mode the same hidden part means something else.
    const bool real = !vcpu_.protected_mode() || vcpu_.virtual_8086();
    const std::uint32_t limit = user_mode() ? memory_.user_limit() : world_.zone().guest_limit;
    KnownShadow& known = known_shadows_[user_mode() ? 1 : 0][role];
    if (!real && known.epoch == world_.selector_epoch() && known.limit == limit && known.segment == segment)
        return known.selector;
    const bool code = role == static_cast<std::uint32_t>(Segment::cs);
    const std::uint16_t selector = world_.selector_for(role == kShadowRoles - 1 ? wrapped_shadow_of(segment)
                                                                                : shadow_of(segment, code));
    known = {segment, limit, selector, real ? 0 : world_.selector_epoch()};
    return selector;
}

void Monitor::load_segments() {
    GuestContext& c = world_.context();
    translator::GsArea& gs = *world_.zone().gs;
    const auto shadow = [this](Segment s) {
        return shadow_selector(static_cast<std::uint32_t>(s), vcpu_.segment(s));
    };
    const Segment held = fs_holds_gs_ ? Segment::gs : Segment::fs;
    c.es = shadow(Segment::es);
    c.ss = shadow(Segment::ss);
    c.ds = shadow(Segment::ds);
    gs.swap_fs = shadow(held);
    gs.swap_other = shadow(fs_holds_gs_ ? Segment::fs : Segment::gs);
    gs.swap_wrap = shadow_selector(kShadowRoles - 1, vcpu_.segment(held));
    gs.swap_cs = shadow(Segment::cs);
    for (std::size_t i = 0; i < kSegmentCount; ++i) gs.guest_selectors[i][0] = vcpu_.segments[i].selector;
}

void Monitor::load_hardware() {
    GuestContext& c = world_.context();
    translator::GsArea& gs = *world_.zone().gs;
    const bool fs_holds_gs = translator_.cache().context(context_id_).fs_holds_gs;
    memory_.set_user(user_mode());
    const std::uint32_t limit = user_mode() ? memory_.user_limit() : world_.zone().guest_limit;
    const bool same = loaded_limit_ == limit && fs_holds_gs == fs_holds_gs_ &&
                      std::memcmp(loaded_, vcpu_.segments.data(), sizeof loaded_) == 0;
    if (!same) {
        fs_holds_gs_ = fs_holds_gs;
        load_segments();
        std::memcpy(loaded_, vcpu_.segments.data(), sizeof loaded_);
        loaded_limit_ = limit;
        ++counters_.segment_loads;
    }
    check_ways();
    c.fs = static_cast<std::uint16_t>(gs.swap_fs);
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

translator::CodeContext Monitor::code_context() const {
    const SegmentCache& cs = vcpu_.segment(Segment::cs);
    translator::CodeContext c;
    c.cs_base = cs.base;
    c.cs_limit = cs.limit;
    c.code_size = cs.big() ? translator::CodeSize::bits32 : translator::CodeSize::bits16;
    c.stack_32 = vcpu_.segment(Segment::ss).big();
    c.cpl = vcpu_.cpl;
    c.virtual_8086 = vcpu_.virtual_8086();
    c.protected_mode = vcpu_.protected_mode();
    c.view = views_.current(user_mode());
    c.fpu_emulated = (vcpu_.cr0 & cr0::kEm) != 0;
    c.task_switched = (vcpu_.cr0 & cr0::kTs) != 0;
    c.monitor_coprocessor = (vcpu_.cr0 & cr0::kMp) != 0;
    c.osfxsr = (vcpu_.cr4 & cr4::kOsfxsr) != 0;
    c.tsc_restricted = vcpu_.tsc_offset != 0 || ((vcpu_.cr4 & cr4::kTsd) != 0 && vcpu_.cpl != 0);
    c.fs_holds_gs = vcpu_.cpl == 3; // thread-local storage lies there; kernels use FS
    return c;
}

} // namespace ringone::vmm
