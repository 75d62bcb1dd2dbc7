// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
//
// Asynchronous exits: hardware exceptions inside fragments, and kicks. Both find the CPU at any fragment
// instruction; the side table leads back (or single steps lead on) to a guest instruction boundary.
#include "vmm/monitor/monitor.hpp"

namespace ringone::vmm {
namespace {

using translator::Fragment;
using translator::SideEntry;

/// Longest run of fragment instructions between two boundaries, chained stubs included: far above any real one.
constexpr unsigned kMaxRollForward = 200;
constexpr std::uint32_t kPage = 4096;
constexpr std::uint32_t kWriteFault = 1U << 1; // W/R of a page-fault error code, SDM Vol. 3 section 4.7

} // namespace

bool Monitor::roll_back(std::uint32_t ccf) {
    translator::TranslationCache& cache = translator_.cache();
    const translator::FragmentId id = cache.find_by_address(ccf);
    if (id == translator::kNone) return false;
    const Fragment& fragment = cache.fragment(id);
    const SideEntry* entry = cache.side_entry(fragment, ccf);
    if (entry == nullptr) return false;
    const bool at_boundary = (entry->flags & SideEntry::boundary) != 0 && ccf == fragment.ccf + entry->ccf_offset;
    if (!at_boundary && (entry->flags & SideEntry::undoable) == 0) return false;
    save_hardware();
    const translator::GsArea& gs = *world_.zone().gs;
    if ((entry->flags & SideEntry::restore_eax) != 0) vcpu_.gpr[kEax] = gs.spill_eax;
    if ((entry->flags & SideEntry::restore_ecx) != 0) vcpu_.gpr[kEcx] = gs.spill_ecx;
    vcpu_.eip = fragment.eip + entry->guest_offset;
    // An undoable range belongs to the boundary it leads back to: the last one marked before it.
    const SideEntry* begin = cache.side_entries(fragment).data();
    while (entry > begin && (entry->flags & SideEntry::boundary) == 0 && entry[-1].guest_offset == entry->guest_offset)
        --entry;
    if ((entry->flags & SideEntry::uninterruptible) != 0) vcpu_.shadow = InterruptShadow::sti;
    if (resuming_ && entry->guest_offset == 0) vcpu_.eflags |= eflags::kResume; // not executed yet
    return true;
}

/// Does IF at `ccf` say what it will be at the boundary that a kick there leads to?
bool Monitor::between_instructions() {
    const translator::TranslationCache& cache = translator_.cache();
    const std::uint32_t ccf = world_.context().ccf;
    const translator::FragmentId id = cache.find_by_address(ccf);
    if (id == translator::kNone) return false;
    const Fragment& fragment = cache.fragment(id);
    const SideEntry* entry = cache.side_entry(fragment, ccf);
    return entry != nullptr && (entry->flags & SideEntry::boundary) != 0 && ccf == fragment.ccf + entry->ccf_offset;
}

void Monitor::run_world() {
    world_.run();
    take_ways();
    take_passage();
}

bool Monitor::run_to_exit(bool single) {
    GuestContext& c = world_.context();
    const translator::GsArea& gs = *world_.zone().gs;
    run_world();
    for (;;) {
        if (c.exit == RunExit::trap && c.trap_vector == vector::kPageFault) {
            fault_known_ = !hidden_fault();
            if (fault_known_) break;
            run_world();
            continue;
        }
        if (c.exit != RunExit::kick) break;
        ++counters_.kicks;
        __atomic_store_n(&c.kicked, 0U, __ATOMIC_SEQ_CST);
        poll_services();
        const bool news = gs.interrupt_waits == 0;
        world_.zone().gs->interrupt_waits = interrupt_line_ ? 1 : 0;
        // An STI, POPF or IRET that has already seen that nothing waited is about to set IF: it has to look again.
        const bool take =
            stop_requested_ || (interrupt_line_ && (gs.virtual_if != 0 || (news && !between_instructions())));
        if (!take || single) {
            // Nothing to take, or the fragment leaves by itself after its one instruction, whose trap comes first:
            // on where it was, boundary or not.
            run_world();
            continue;
        }
        return roll_forward();
    }
    return true;
}

/// Steps to the next boundary: false there. True when the fragment left through the gate or faulted before: the
/// interrupt comes after that. (No PUSHF is stepped over, whose image would show it: they begin at a boundary.)
bool Monitor::roll_forward() {
    GuestContext& c = world_.context();
    std::uint32_t kicked = 0; // what comes meanwhile is for later, and not lost
    bool stepped = true;
    // Too many steps are reported as what they are by the trap handler.
    for (unsigned steps = 0; stepped && !roll_back(c.ccf); ++steps) {
        ++counters_.roll_forward_steps;
        do {
            kicked |= __atomic_exchange_n(&c.kicked, 0U, __ATOMIC_SEQ_CST);
            c.single_step = 1;
            run_world();
        } while (c.exit == RunExit::kick);
        stepped = c.exit == RunExit::trap && c.trap_vector == vector::kDebug && steps < kMaxRollForward;
    }
    if (kicked != 0) __atomic_store_n(&c.kicked, 1U, __ATOMIC_SEQ_CST);
    return !stepped;
}

/// Is the page that faulted one that this world cannot map, whatever the shadow MMU thinks it has mapped?
bool Monitor::below_floor() {
    return world_.context().trap_address < world_.zone().guest_floor;
}

/// A page fault of the hardware: was it only that the shadow had not mapped the page? Else `fault_` tells what it is.
bool Monitor::hidden_fault() {
    const GuestContext& c = world_.context();
    const AccessType type = (c.trap_error & kWriteFault) != 0 ? AccessType::write : AccessType::read;
    if (breakpoints_.watches(static_cast<std::uint32_t>(c.trap_address) / kPage, type)) {
        fault_.kind = mmu::FaultResult::Kind::emulate;
        return false;
    }
    fault_ = memory_.on_fault(static_cast<std::uint32_t>(c.trap_address), type,
                              user_mode() ? AccessPrivilege::user : AccessPrivilege::supervisor);
    if (fault_.kind == mmu::FaultResult::Kind::mapped && below_floor()) fault_.kind = mmu::FaultResult::Kind::emulate;
    if (!memory_.user_ready()) close_passages_to_user(); // it may have mapped what user mode must not reach
    counters_.hidden_faults += fault_.kind == mmu::FaultResult::Kind::mapped ? 1 : 0;
    return fault_.kind == mmu::FaultResult::Kind::mapped;
}

Monitor::Next Monitor::hardware_trap() {
    const GuestContext& c = world_.context();
    ++counters_.traps;
    ++counters_.traps_by_vector[c.trap_vector % 32];
    if (!roll_back(c.ccf)) {
        save_hardware();
        return stop(StopKind::internal, "a hardware exception in monitor code of the translation cache");
    }
    switch (c.trap_vector) {
    case vector::kPageFault:
        // A single step that led to an interrupt's boundary may end here with the fault not looked at yet.
        if (!fault_known_ && hidden_fault()) return Next::dispatch;
        fault_known_ = false;
        if (fault_.kind == mmu::FaultResult::Kind::guest_fault)
            return inject(GuestFault::page(static_cast<std::uint32_t>(c.trap_address), fault_.error_code));
        counters_.low_accesses += below_floor() ? 1 : 0;
        return emulate_at_eip(false);
    case vector::kGeneralProtection:
    case vector::kStackFault:
        // Perhaps the guest's own fault, perhaps one of ours (truncated limit, trace, MMIO): the emulator tells.
        return emulate_at_eip(c.trap_vector == vector::kGeneralProtection);
    case vector::kDivideError:
    case vector::kBoundRange:
    case vector::kInvalidOpcode:
    case vector::kX87Error:
    case vector::kSimdError: return inject(GuestFault::plain(static_cast<std::uint8_t>(c.trap_vector)));
    case vector::kAlignmentCheck: return inject(GuestFault::with_code(vector::kAlignmentCheck, 0));
    default: return stop(StopKind::internal, "an unexpected hardware exception in a fragment");
    }
}

Monitor::Next Monitor::inject(const GuestFault& fault) {
    ++counters_.injected_faults;
    ++counters_.injected_by_vector[fault.vector % 32];
    if (fault.vector == vector::kPageFault && switches_.prefill)
        prefill_ = {.valid = true, .cpl = vcpu_.cpl, .eip = vcpu_.eip, .address = fault.cr2};
    return deliver_event(Event::from_fault(fault));
}

/// After an IRET: the page of the fault that it returns from is about to be accessed, unless it goes elsewhere (to a
/// signal's handler).
void Monitor::prefill_on_return() {
    if (vcpu_.cpl != prefill_.cpl) return; // of an interrupt meanwhile
    prefill_.valid = false;
    if (vcpu_.eip == prefill_.eip) memory_.prefill(prefill_.address);
}

Monitor::Next Monitor::deliver_event(const Event& event) {
    const std::uint32_t eip = vcpu_.eip;
    if (deliver(vcpu_, memory_, *this, event) == Delivery::delivered) return Next::dispatch;
    vcpu_.eip = eip;
    return stop(StopKind::shutdown, "triple fault");
}

} // namespace ringone::vmm
