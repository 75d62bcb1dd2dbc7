// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
//
// Changes of privilege that fragments make by themselves: SYSENTER, SYSEXIT and IRET between the guest's kernel and its
// user mode, both in flat segments. The monitor sees to it before fragments run that these lead where they would lead
// architecturally, or are closed; after they ran it takes over where they have led.
#include "vmm/monitor/monitor.hpp"

#include "vmm/monitor/system/fast_call.hpp"

namespace ringone::vmm {
namespace {

constexpr std::uint32_t kKernelClass = 0, kUserClass = 1; // CodeContext::dispatch_class()

bool flat(const SegmentCache& s) { return s.usable && s.base == 0 && s.limit == 0xFFFFFFFF && s.big(); }

/// Flags under which fragments of either privilege run otherwise.
constexpr std::uint32_t kRareFlags =
    eflags::kTrap | eflags::kNestedTask | eflags::kVirtual8086 | eflags::kAlignmentCheck;

} // namespace

/// The monitor has executed an IRET to user mode: fragments may do so from now on.
void Monitor::remember_user() {
    const SegmentCache& cs = vcpu_.segment(Segment::cs);
    const SegmentCache& ss = vcpu_.segment(Segment::ss);
    if (vcpu_.cpl != 3 || vcpu_.virtual_8086() || !translator_.options().inline_passages || !flat(cs) || !flat(ss)) return;
    if (user_known_ && user_.cs == cs && user_.ss == ss) return;
    user_known_ = watched_descriptor(cs.selector, user_descriptors_[0]) && watched_descriptor(ss.selector, user_descriptors_[1]);
    user_.cs = cs;
    user_.ss = ss;
    passage_state_ = {};
}

/// The descriptors may have changed.
void Monitor::reread_user() {
    std::uint64_t cs = 0, ss = 0;
    user_known_ = user_known_ && watched_descriptor(user_.cs.selector, cs) && watched_descriptor(user_.ss.selector, ss) &&
                  cs == user_descriptors_[0] && ss == user_descriptors_[1];
}

void Monitor::open_passages() {
    translator::TranslationCache& cache = translator_.cache();
    translator::GsArea& gs = *world_.zone().gs;
    const auto finish = [&](Destination& to, std::uint8_t cpl, std::uint32_t dispatch_class) {
        to.context = cache.find_context(code_context(to.cs, to.ss, cpl));
        // Only there do the fragments of its dispatch table belong.
        to.open = to.open && to.context != translator::TranslationCache::kNoContext && to.context == cache.active(dispatch_class);
    };
    kernel_.open = translator_.options().inline_passages && !fast_calls_unusable(vcpu_);
    const FastSegments kernel = fast_segments(vcpu_, 0);
    kernel_.cs = kernel.cs;
    kernel_.ss = kernel.ss;
    gs.enter_esp = vcpu_.sysenter_esp;
    gs.enter_eip = vcpu_.sysenter_eip;
    finish(kernel_, 0, kKernelClass);
    user_.open = user_known_;
    finish(user_, 3, kUserClass);
    const FastSegments fast_user = fast_segments(vcpu_, 3);
    fast_exit_ = kernel_.open && user_.cs == fast_user.cs && user_.ss == fast_user.ss;
    loaded_limit_ = 0; // the other privilege's shadows are wanted now, or others
}

void Monitor::close_passages_to_user() {
    translator::GsArea& gs = *world_.zone().gs;
    gs.exit_closed = gs.return_closed = translator::kNoPassage;
}

/// Before fragments run.
void Monitor::check_passages() {
    translator::GsArea& gs = *world_.zone().gs;
    const translator::TranslationCache& cache = translator_.cache();
    if ((vcpu_.eflags & kRareFlags) != 0 || !translator_.options().inline_passages) {
        gs.enter_closed = translator::kNoPassage;
        close_passages_to_user();
        return;
    }
    const PassageState now{.selector_epoch = world_.selector_epoch(),
                           .cache_flushes = cache.counters().flushes,
                           .sysenter_cs = vcpu_.sysenter_cs,
                           .sysenter_esp = vcpu_.sysenter_esp,
                           .sysenter_eip = vcpu_.sysenter_eip,
                           .cr0 = vcpu_.cr0,
                           .cr4 = vcpu_.cr4,
                           .user_limit = memory_.user_limit(),
                           .active = {cache.active(kKernelClass), cache.active(kUserClass)},
                           .user_view = views_.current(true),
                           .tsc_shifted = vcpu_.tsc_offset != 0,
                           .user_known = user_known_};
    if (now != passage_state_) {
        open_passages();
        passage_state_ = now;
    }
    // What fragments show as CS and SS of this privilege's is what they are now: back here they would show it again.
    const bool user = user_mode();
    const Destination& here = user ? user_ : kernel_;
    const bool as_known = vcpu_.segment(Segment::cs) == here.cs && vcpu_.segment(Segment::ss) == here.ss;
    gs.enter_closed = kernel_.open && (user || as_known) ? 0 : translator::kNoPassage;
    const bool to_user = user_.open && memory_.user_ready() && (!user || as_known);
    gs.exit_closed = to_user && fast_exit_ ? 0 : translator::kNoPassage;
    gs.return_closed = to_user && !(prefill_.valid && prefill_.cpl == 3) ? 0 : translator::kNoPassage; // the monitor prefills at an IRET
}

/// After fragments ran: where have they led?
void Monitor::take_passage() {
    translator::GsArea& gs = *world_.zone().gs;
    if (gs.passage == 0) return;
    const bool user = gs.passage - 1 == kUserClass;
    gs.passage = 0;
    ++counters_.passages;
    const Destination& to = user ? user_ : kernel_;
    vcpu_.segment(Segment::cs) = to.cs;
    vcpu_.segment(Segment::ss) = to.ss;
    vcpu_.cpl = user ? 3 : 0;
    context_id_ = to.context;
    loaded_limit_ = 0; // the hardware's segments are a mixture
    memory_.set_user(user);
    views_.select(user);
}

} // namespace ringone::vmm
