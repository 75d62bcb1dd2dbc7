// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "vmm/monitor/monitor.hpp"

#include "vmm/monitor/system/debug.hpp"


namespace ringone::vmm {
namespace {

using translator::ExitKind;
using translator::kNone;
using translator::PlanStatus;

constexpr std::uint32_t kExitKindMask = (1U << translator::kExitKindBits) - 1;
constexpr std::uint32_t kPage = 4096;
constexpr std::uint32_t kLinearPages = 1U << 20U;

} // namespace

Monitor::Monitor(World& world, HostServices& services, const CpuidModel& cpuid, std::span<std::byte> metadata,
                 const translator::Options& options, const MemorySwitches& memory)
    : world_(world), services_(services), cpuid_(cpuid), switches_(memory),
      translator_(world.zone().code, *world.zone().gs, world.zone().exit_gate,
                  metadata.first(translator::Translator::metadata_bytes()), options),
      memory_(world, services, translator_.cache(), breakpoints_,
              metadata.subspan(translator::Translator::metadata_bytes() + CodeViews::metadata_bytes()), switches_),
      views_(translator_.cache(), memory_,
             metadata.subspan(translator::Translator::metadata_bytes(), CodeViews::metadata_bytes())) {}

Stop Monitor::run() {
    stop_ = {};
    stop_requested_ = false;
    poll_services();
    world_.end_host_call();
    while (step() == Next::dispatch) {
    }
    world_.begin_host_call();
    return stop_;
}

Monitor::Next Monitor::stop(StopKind kind, const char* why) {
    stop_.kind = kind;
    stop_.why = why;
    stop_.cs = vcpu_.segment(Segment::cs).selector;
    stop_.eip = vcpu_.eip;
    stop_.byte_count = 0;
    if (vcpu_.eip <= vcpu_.segment(Segment::cs).limit) {
        const std::uint32_t linear = vcpu_.segment(Segment::cs).base + vcpu_.eip;
        // Only what the CPU could fetch: a walk would set A bits.
        if (const std::optional<CodePage> page = memory_.peek_code(linear / kPage, AccessPrivilege::supervisor))
            stop_.byte_count = static_cast<std::uint8_t>(memory_.copy_code(*page, linear % kPage, stop_.bytes));
    }
    return Next::stop;
}

void Monitor::poll_services() {
    world_.begin_host_call();
    services_.poll();
    interrupt_line_ = services_.interrupt_pending();
    stop_requested_ = services_.stop_requested();
    world_.end_host_call();
}

Monitor::Next Monitor::take_events() {
    GuestContext& c = world_.context();
    if (__atomic_exchange_n(&c.kicked, 0U, __ATOMIC_SEQ_CST) != 0) poll_services();
    for (;;) {
        if (stop_requested_) return stop(StopKind::requested, "");
        const bool enabled = (vcpu_.eflags & eflags::kInterrupt) != 0;
        if (interrupt_line_ && enabled && vcpu_.shadow == InterruptShadow::none) {
            world_.begin_host_call();
            const std::uint8_t vector = services_.acknowledge_interrupt();
            interrupt_line_ = services_.interrupt_pending();
            world_.end_host_call();
            ++counters_.injected_interrupts;
            if (deliver_event(Event::interrupt(vector)) == Next::stop) return Next::stop;
            continue;
        }
        if (!vcpu_.halted) break;
        ++counters_.halts;
        vcpu_.shadow = InterruptShadow::none;
        world_.begin_host_call();
        services_.wait(enabled);
        world_.end_host_call();
        __atomic_store_n(&c.kicked, 0U, __ATOMIC_SEQ_CST); // what it told of is seen to now; left, it would end every wait
        poll_services();
    }
    return Next::dispatch;
}

Monitor::Next Monitor::step() {
    if (take_events() == Next::stop) return Next::stop;
    return execute();
}

/// Finds or makes the fragment at CS:EIP, and makes its context the one in force.
MaybeFault Monitor::locate(bool single, translator::FragmentId& fragment) {
    translator::TranslationCache& cache = translator_.cache();
    const bool user = user_mode();
    const std::uint32_t linear = vcpu_.segment(Segment::cs).base + vcpu_.eip;
    const std::uint32_t page = linear / kPage;
    for (;;) {
        if (vcpu_.eip > vcpu_.segment(Segment::cs).limit) return GuestFault::with_code(vector::kGeneralProtection, 0);
        if (MaybeFault fault = views_.enter(user, page)) {
            fault->cr2 = linear; // the view knows pages
            return fault;
        }
        context_id_ = cache.intern(code_context());
        cache.activate(context_id_);
        const std::uint64_t translated = cache.counters().fragments;
        const std::uint64_t begin = host_tsc();
        const translator::Translator::Result found = translator_.get(views_, context_id_, vcpu_.eip, single, pending_indirect_);
        if (cache.counters().fragments != translated) counters_.translation_cycles += host_tsc() - begin;
        switch (found.status) {
        case PlanStatus::outside_segment: return GuestFault::with_code(vector::kGeneralProtection, 0);
        case PlanStatus::not_fetchable:
            if (const MaybeFault fault = views_.enter(user, found.fault_linear / kPage)) return fault;
            continue; // what kept it from being fetched has been put right
        case PlanStatus::ok: break;
        }
        const bool crosses = cache.fragment(found.fragment).page[1] != kNone;
        if (crosses) {
            // It depends on the next page as well, whose translation may be another one by now.
            if (const MaybeFault fault = views_.enter(user, (page + 1) % kLinearPages)) return fault;
            if (cache.fragment(found.fragment).dead || views_.current(user) != cache.context(context_id_).view) continue;
        }
        fragment = found.fragment;
        return {};
    }
}

std::uint64_t Monitor::cache_epoch() {
    const translator::CacheCounters& c = translator_.cache().counters();
    return c.evicted_units + c.flushes;
}

/// Patches the exit that led here, so that it needs no monitor the next time.
void Monitor::join_pending(translator::FragmentId fragment) {
    translator::TranslationCache& cache = translator_.cache();
    if (pending_link_ != kNone && cache_epoch() == pending_epoch_) {
        const translator::Link& link = cache.link(pending_link_);
        if (link.target_eip == vcpu_.eip && cache.fragment(link.from).context == context_id_)
            cache.chain(pending_link_, fragment);
    }
    if (pending_site_ != kNone && cache_epoch() == pending_epoch_ &&
        cache.fragment(cache.link(pending_site_).from).context == context_id_)
        pending_indirect_ = cache.learn_target(pending_site_, fragment);
    if (pending_return_) cache.make_return_target(fragment);
    if (pending_indirect_) cache.make_indirect_target(fragment);
    forget_pending();
}

void Monitor::forget_pending() {
    pending_link_ = pending_site_ = kNone;
    pending_indirect_ = pending_return_ = false;
}

/// DR0-DR3, DR7 or CR4.DE have changed.
void Monitor::arm_breakpoints() {
    // What the hardware has of watched pages is made anew: with less than before, or with all again.
    const auto unmap = [this](std::uint32_t page) { memory_.invlpg(page * kPage); };
    breakpoints_.for_each_watched_page(unmap);
    breakpoints_.load(vcpu_);
    breakpoints_.for_each_watched_page(unmap);
    breakpoints_.for_each_execution([this](std::uint32_t linear) { translator_.cut_at(linear); });
}

Monitor::Next Monitor::execute() {
    if (breakpoints_.changed(vcpu_)) arm_breakpoints();
    // What MOV SS and POP SS met traps behind the next instruction (SDM Vol. 3 section 6.8.3).
    if (vcpu_.shadow != InterruptShadow::mov_ss) breakpoints_.forget_hits();
    const std::uint32_t here = breakpoints_.execution_at(vcpu_.segment(Segment::cs).base + vcpu_.eip);
    resuming_ = here != 0 && (vcpu_.eflags & eflags::kResume) != 0;
    if (here != 0 && !resuming_ && vcpu_.shadow != InterruptShadow::mov_ss) {
        forget_pending();
        vcpu_.dr[6] |= here;
        return inject(GuestFault::plain(vector::kDebug));
    }
    const bool trap_flag = (vcpu_.eflags & eflags::kTrap) != 0;
    const bool single = trap_flag || here != 0 || vcpu_.shadow != InterruptShadow::none;
    translator::FragmentId fragment = kNone;
    if (const MaybeFault fault = locate(single, fragment)) {
        forget_pending();
        return inject(*fault);
    }
    if (single) forget_pending();
    else join_pending(fragment);

    load_hardware();
    world_.context().ccf = translator_.cache().fragment(fragment).ccf;
    completed_ = false;
    suppress_trap_ = false;
    Next next = Next::dispatch;
    if (!run_to_exit(single)) return next; // at an instruction boundary, for an interrupt
    if (world_.context().exit == RunExit::trap) next = hardware_trap();
    else next = gate_exit(single);
    // Not behind a load of SS: the next instruction's trap is the first (SDM Vol. 3 section 6.8.3).
    if (next == Next::stop || !completed_ || vcpu_.shadow == InterruptShadow::mov_ss) return next;

    // TF as it was before the one instruction traps behind it (section 17.3.1.4), and so do its accesses (17.3.1.2).
    const bool steps = trap_flag && !suppress_trap_;
    if (steps || breakpoints_.hits() != 0) {
        vcpu_.dr[6] |= (steps ? dr6::kSingleStep : 0U) | breakpoints_.hits();
        return inject(GuestFault::plain(vector::kDebug));
    }
    return next;
}

Monitor::Next Monitor::gate_exit(bool single) {
    const translator::GsArea& gs = *world_.zone().gs;
    const std::uint32_t payload = gs.exit_info >> translator::kExitKindBits;
    save_hardware();
    switch (static_cast<ExitKind>(gs.exit_info & kExitKindMask)) {
    case ExitKind::link: return follow_link(payload, single);
    case ExitKind::indirect: follow_indirect(payload, single); return Next::dispatch;
    case ExitKind::callout:
        ++counters_.exits_callout;
        vcpu_.eip = gs.exit_eip;
        return callout();
    case ExitKind::fault:
        ++counters_.exits_fault;
        vcpu_.eip = gs.exit_eip;
        return inject(payload == vector::kGeneralProtection
                          ? GuestFault::with_code(vector::kGeneralProtection, 0)
                          : GuestFault::plain(static_cast<std::uint8_t>(payload)));
    case ExitKind::step:
        ++counters_.exits_step;
        vcpu_.eip = gs.exit_eip;
        vcpu_.shadow = InterruptShadow::none;
        completed_ = true;
        return Next::dispatch;
    case ExitKind::native: break;
    }
    return stop(StopKind::internal, "a fragment left with an exit that nobody asked for");
}

Monitor::Next Monitor::follow_link(translator::LinkId id, bool single) {
    ++counters_.exits_link;
    translator::TranslationCache& cache = translator_.cache();
    const translator::Link link = cache.link(id);
    if (link.target_eip > vcpu_.segment(Segment::cs).limit) {
        vcpu_.eip = link.branch_eip;
        return inject(GuestFault::with_code(vector::kGeneralProtection, 0));
    }
    vcpu_.eip = link.target_eip;
    vcpu_.shadow = InterruptShadow::none;
    completed_ = true;
    if (!single && translator_.options().chain) {
        pending_link_ = id;
        pending_epoch_ = cache_epoch();
    }
    return Next::dispatch;
}

/// `site`: its link's index + 1, or 0.
void Monitor::follow_indirect(std::uint32_t site, bool single) {
    ++counters_.exits_indirect;
    vcpu_.eip = world_.zone().gs->target;
    vcpu_.shadow = InterruptShadow::none;
    completed_ = true;
    pending_indirect_ = !single && translator_.options().indirect_lookup;
    pending_site_ = pending_indirect_ && site != 0 ? site - 1 : kNone;
    pending_epoch_ = cache_epoch();
    // (Another indirect branch to where the last such return went finds an entry made that only returns use.)
    pending_return_ = !single && translator_.options().return_cache && world_.zone().gs->return_target == vcpu_.eip;
}

std::uint32_t Monitor::io_read(std::uint16_t port, std::uint32_t size) {
    breakpoints_.port_access(port, size);
    world_.begin_host_call();
    const std::uint32_t value = services_.io_read(port, size);
    interrupt_line_ = services_.interrupt_pending();
    world_.end_host_call();
    return value;
}

void Monitor::io_write(std::uint16_t port, std::uint32_t size, std::uint32_t value) {
    breakpoints_.port_access(port, size);
    world_.begin_host_call();
    services_.io_write(port, size, value);
    interrupt_line_ = services_.interrupt_pending();
    stop_requested_ = services_.stop_requested();
    world_.end_host_call();
}

bool Monitor::on_paging_change(const VCpu&, const VCpu& after, PagingChange change) {
    if (!memory_.load_control(after, change)) return false;
    views_.recheck(after.cr3, change.flush_global);
    return true;
}

void Monitor::on_invlpg(std::uint32_t linear) {
    memory_.invlpg(linear);
    views_.recheck_page(linear / kPage);
}

std::uint64_t Monitor::host_tsc() { return __builtin_ia32_rdtsc(); }

} // namespace ringone::vmm
