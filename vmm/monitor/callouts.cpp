// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
//
// Instructions that the monitor executes: system instructions, and ordinary ones whose memory access the hardware
// could not do.
#include "vmm/monitor/monitor.hpp"

#include "translator/code_writer.hpp"
#include "vmm/monitor/operands.hpp"

#include <cstring>

namespace ringone::vmm {
namespace {

using translator::Action;
using translator::Planner;

constexpr std::uint32_t kPage = 4096;

/// INT n, INT3, INTO and INT1 clear TF on their way: no single-step trap follows them.
bool enters_handler(ZydisMnemonic mnemonic) {
    return mnemonic == ZYDIS_MNEMONIC_INT || mnemonic == ZYDIS_MNEMONIC_INT3 || mnemonic == ZYDIS_MNEMONIC_INTO ||
           mnemonic == ZYDIS_MNEMONIC_INT1;
}

bool is_iret(ZydisMnemonic mnemonic) { return mnemonic == ZYDIS_MNEMONIC_IRETD || mnemonic == ZYDIS_MNEMONIC_IRET; }

bool is_system(Action action) {
    switch (action) {
    case Action::system:
    case Action::iret:
    case Action::cli:
    case Action::sti:
    case Action::pushf:
    case Action::popf:
    case Action::read_selector:
    case Action::read_tsc: return true;
    default: return false;
    }
}

bool is_copy(Action action) {
    switch (action) {
    case Action::copy:
    case Action::copy_x87:
    case Action::copy_wait:
    case Action::copy_simd:
    case Action::copy_mmx: return true;
    default: return false;
    }
}

} // namespace

/// Does the instruction's FS or GS operand lie beyond 4 GiB, seen from its segment's base?
bool Monitor::address_wraps() const {
    for (std::uint32_t i = 0; i < instruction_->info.operand_count; ++i) {
        const ZydisDecodedOperand& operand = instruction_->operands[i];
        if (operand.type != ZYDIS_OPERAND_TYPE_MEMORY || operand.mem.type != ZYDIS_MEMOP_TYPE_MEM) continue;
        if (operand.mem.segment != ZYDIS_REGISTER_FS && operand.mem.segment != ZYDIS_REGISTER_GS) continue;
        const std::uint32_t base = vcpu_.segment(to_segment(operand.mem.segment)).base;
        return effective_offset(vcpu_, *instruction_, operand) > 0xFFFFFFFF - base;
    }
    return false;
}

/// The hint for the instruction at CS:EIP has changed: its fragments go. Only between runs.
void Monitor::translate_anew() {
    const std::uint32_t linear = vcpu_.segment(Segment::cs).base + vcpu_.eip;
    (void)translator_.cache().invalidate(views_.physical_page(linear), linear % kPage, linear % kPage);
    ++counters_.adapted;
}

MaybeFault Monitor::decode_at_eip() {
    const std::uint32_t eip = vcpu_.eip;
    const std::uint32_t linear = vcpu_.segment(Segment::cs).base + eip;
    Decoded& slot = decoded_[(eip ^ eip >> 8U) % kDecodedSlots];
    instruction_ = &slot.instruction;
    const std::uint64_t flushes = translator_.cache().counters().flushes; // contexts are numbered anew then
    if (slot.valid && slot.instruction.eip == eip && slot.context == context_id_ && slot.flushes == flushes) {
        const std::uint32_t length = slot.instruction.length();
        std::uint8_t bytes[translator::kMaxInstructionLength];
        if (views_.fetch(linear, std::span(bytes).first(length)) == length &&
            std::memcmp(bytes, slot.instruction.bytes, length) == 0)
            return {};
    }
    slot.valid = false;
    const Planner::FetchResult fetched =
        translator_.planner().fetch(views_, translator_.cache().context(context_id_), eip, slot.instruction);
    switch (fetched.status) {
    case Planner::Fetched::ok:
        slot.valid = true;
        slot.context = context_id_;
        slot.flushes = flushes;
        return {};
    case Planner::Fetched::invalid: return GuestFault::plain(vector::kInvalidOpcode);
    case Planner::Fetched::not_fetchable:
        // The page after the one that this instruction began on: not met, or with another translation, until now.
        if (const MaybeFault fault = views_.enter(user_mode(), fetched.fault_linear / kPage)) return fault;
        return decode_at_eip();
    case Planner::Fetched::too_long:
    case Planner::Fetched::outside_segment: break;
    }
    return GuestFault::with_code(vector::kGeneralProtection, 0);
}

Monitor::Next Monitor::callout() {
    if (const MaybeFault fault = decode_at_eip()) return inject(*fault);
    ++counters_.callouts_by_mnemonic[instruction_->mnemonic()];
    const Action action = translator::classify(*instruction_).action;
    if (!is_system(action)) {
        const std::uint32_t linear = vcpu_.segment(Segment::cs).base + vcpu_.eip;
        if (is_copy(action) && translator_.site_hints().at(linear, *instruction_) == translator::SiteHint::callout &&
            translator_.site_hints().called_out(linear))
            translate_anew();
        return emulate_decoded(false);
    }
    return execute_decoded();
}

/// A system instruction: called out, or inlined (PUSHF, POPF, PUSH sreg) with a stack that the hardware did not reach.
Monitor::Next Monitor::execute_decoded() {
    const Outcome outcome = execute_system(vcpu_, memory_, *this, *this, *instruction_);
    switch (outcome.kind) {
    case Outcome::Kind::fault: return inject(outcome.fault);
    case Outcome::Kind::shutdown: return stop(StopKind::shutdown, "triple fault");
    case Outcome::Kind::repeat: return repeat_later();
    case Outcome::Kind::next:
    case Outcome::Kind::jumped:
    case Outcome::Kind::halt: break;
    }
    const ZydisDecodedOperand& to = instruction_->operands[0];
    const bool loads_segment = instruction_->mnemonic() == ZYDIS_MNEMONIC_MOV ||
                               instruction_->mnemonic() == ZYDIS_MNEMONIC_POP;
    if (loads_segment && to.type == ZYDIS_OPERAND_TYPE_REGISTER &&
        ZydisRegisterGetClass(to.reg.value) == ZYDIS_REGCLASS_SEGMENT)
        remember_way(to_segment(to.reg.value));
    if (is_iret(instruction_->mnemonic())) remember_user();
    completed_ = true;
    suppress_trap_ = enters_handler(instruction_->mnemonic());
    if (prefill_.valid && is_iret(instruction_->mnemonic())) prefill_on_return();
    return Next::dispatch;
}

Monitor::Next Monitor::emulate_at_eip(bool hardware_said_gp) {
    if (const MaybeFault fault = decode_at_eip()) return inject(*fault);
    ++counters_.emulated_by_mnemonic[instruction_->mnemonic()];
    const Action action = translator::classify(*instruction_).action;
    if (is_system(action)) return execute_decoded();
    if (translator_.options().adaptive && is_copy(action) &&
        translator_.site_hints().trapped(vcpu_.segment(Segment::cs).base + vcpu_.eip, *instruction_, address_wraps()))
        translate_anew();
    return emulate_decoded(hardware_said_gp);
}

Monitor::Next Monitor::emulate_decoded(bool hardware_said_gp) {
    ++counters_.emulated;
    const EmulationOutcome outcome = emulate(vcpu_, memory_, *this, *instruction_);
    switch (outcome.kind) {
    case EmulationOutcome::Kind::fault:
        // A misaligned SSE operand beyond the stack's limit is #GP before it is #SS: the hardware has seen both.
        if (hardware_said_gp && outcome.fault.vector == vector::kStackFault)
            return inject(GuestFault::with_code(vector::kGeneralProtection, 0));
        return inject(outcome.fault);
    case EmulationOutcome::Kind::unsupported: return stop(StopKind::unsupported, outcome.why);
    case EmulationOutcome::Kind::partial: return repeat_later();
    case EmulationOutcome::Kind::done: break;
    }
    vcpu_.shadow = InterruptShadow::none;
    completed_ = true;
    return Next::dispatch;
}

/// Some elements of a repeated instruction are done. They count as an instruction where TF or a breakpoint traps; the
/// rest of them is behind any breakpoint at the instruction itself (SDM Vol. 3 section 17.3.1.1, RF).
Monitor::Next Monitor::repeat_later() {
    vcpu_.eflags |= eflags::kResume;
    vcpu_.shadow = InterruptShadow::none;
    completed_ = (vcpu_.eflags & eflags::kTrap) != 0 || breakpoints_.hits() != 0;
    return Next::dispatch;
}

std::span<std::byte> Monitor::scratch() {
    return std::as_writable_bytes(std::span(world_.zone().gs->scratch));
}

std::uint32_t Monitor::scratch_offset() { return offsetof(translator::GsArea, scratch); }

std::uint32_t Monitor::guest_eip_of(std::uint32_t hardware_address) {
    if (hardware_address < world_.zone().guest_limit) return hardware_address; // the guest has loaded it (FXRSTOR)
    const translator::TranslationCache& cache = translator_.cache();
    const translator::FragmentId id = cache.find_by_address(hardware_address);
    if (id == translator::kNone) return 0;
    const translator::Fragment& fragment = cache.fragment(id);
    const translator::SideEntry* entry = cache.side_entry(fragment, hardware_address);
    return entry == nullptr ? 0 : fragment.eip + entry->guest_offset;
}

MaybeFault Monitor::run(std::span<const std::uint8_t> code, VCpu&) {
    const translator::CodeMemory slot = translator_.cache().native_slot();
    translator::CodeWriter w(slot.write, slot.run);
    w.bytes(code);
    w.store_gs_immediate(offsetof(translator::GsArea, exit_info),
                         static_cast<std::uint32_t>(translator::ExitKind::native));
    w.jump(world_.zone().exit_gate);

    load_hardware();
    GuestContext& c = world_.context();
    c.ccf = slot.run;
    std::uint32_t kicked = 0;
    do {
        // A kick only waits: the instruction is a few cycles long.
        kicked |= __atomic_exchange_n(&c.kicked, 0U, __ATOMIC_SEQ_CST);
        world_.run();
    } while (c.exit == RunExit::kick);
    if (kicked != 0) __atomic_store_n(&c.kicked, 1U, __ATOMIC_SEQ_CST);
    if (c.exit == RunExit::trap) {
        ++counters_.traps;
        const auto trap = static_cast<std::uint8_t>(c.trap_vector);
        const bool has_code = trap == vector::kGeneralProtection || trap == vector::kAlignmentCheck ||
                              trap == vector::kStackFault;
        return has_code ? GuestFault::with_code(trap, 0) : GuestFault::plain(trap);
    }
    const std::uint32_t eip = vcpu_.eip;
    save_hardware();
    vcpu_.eip = eip;
    return {};
}

} // namespace ringone::vmm
