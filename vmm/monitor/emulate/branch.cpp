// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "vmm/monitor/emulate/parts.hpp"

namespace ringone::vmm::emulation {
namespace {

/// SDM Vol. 2 appendix B.1.4.7: the condition's number is the opcode's low nibble.
bool condition_holds(std::uint32_t flags, unsigned condition) {
    const bool carry = (flags & eflags::kCarry) != 0;
    const bool zero = (flags & eflags::kZero) != 0;
    const bool sign = (flags & eflags::kSign) != 0;
    const bool overflow = (flags & eflags::kOverflow) != 0;
    const bool parity = (flags & eflags::kParity) != 0;
    bool holds = false;
    switch (condition >> 1U) {
    case 0: holds = overflow; break;
    case 1: holds = carry; break;
    case 2: holds = zero; break;
    case 3: holds = carry || zero; break;
    case 4: holds = sign; break;
    case 5: holds = parity; break;
    case 6: holds = sign != overflow; break;
    case 7: holds = zero || sign != overflow; break;
    default: break;
    }
    return holds != ((condition & 1U) != 0);
}

/// The target of a near branch, from its operand, cut to the operand size.
MaybeFault target_of(const Machine& m, std::uint32_t& target) {
    const ZydisDecodedOperand& operand = m.operand(0);
    if (operand.type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
        target = m.insn.next_eip() + static_cast<std::uint32_t>(operand.imm.value.s);
    } else if (const MaybeFault fault = read_operand(m.vcpu, m.memory, m.insn, operand, target)) {
        return fault;
    }
    target &= size_mask(m.operand_bytes());
    if (target > m.vcpu.segment(Segment::cs).limit) return GuestFault::with_code(vector::kGeneralProtection, 0);
    return {};
}

EmulationOutcome jump(const Machine& m) {
    std::uint32_t target = 0;
    if (const MaybeFault fault = target_of(m, target)) return EmulationOutcome::of(fault);
    m.vcpu.eip = target;
    return {};
}

EmulationOutcome conditional(const Machine& m, bool taken) {
    if (taken) return jump(m);
    m.finish();
    return {};
}

EmulationOutcome counter(const Machine& m) {
    const std::uint32_t mask = size_mask(m.insn.info.address_width / 8U);
    const std::uint32_t before = m.vcpu.gpr[kEcx];
    const std::uint32_t count = (before & mask) - 1;
    const bool zero = (m.vcpu.eflags & eflags::kZero) != 0;
    bool taken = (count & mask) != 0;
    if (m.insn.mnemonic() == ZYDIS_MNEMONIC_LOOPE) taken = taken && zero;
    if (m.insn.mnemonic() == ZYDIS_MNEMONIC_LOOPNE) taken = taken && !zero;
    const EmulationOutcome outcome = conditional(m, taken);
    if (outcome.kind == EmulationOutcome::Kind::done) m.vcpu.gpr[kEcx] = (before & ~mask) | (count & mask);
    return outcome;
}

EmulationOutcome call(const Machine& m) {
    std::uint32_t target = 0;
    if (const MaybeFault fault = target_of(m, target)) return EmulationOutcome::of(fault);
    const std::uint32_t back = m.insn.next_eip() & size_mask(m.operand_bytes());
    if (const MaybeFault fault = stack_push(m.vcpu, m.memory, back, m.operand_bytes())) return EmulationOutcome::of(fault);
    m.vcpu.eip = target;
    return {};
}

EmulationOutcome ret(const Machine& m) {
    std::uint32_t target = 0;
    const std::uint32_t bytes = m.operand_bytes();
    if (const MaybeFault fault = stack_peek(m.vcpu, m.memory, 0, target, bytes)) return EmulationOutcome::of(fault);
    if (target > m.vcpu.segment(Segment::cs).limit)
        return EmulationOutcome::of(GuestFault::with_code(vector::kGeneralProtection, 0));
    const std::uint32_t more = m.operand(0).type == ZYDIS_OPERAND_TYPE_IMMEDIATE
                                   ? static_cast<std::uint32_t>(m.operand(0).imm.value.u) & 0xFFFFU
                                   : 0U;
    set_stack_pointer(m.vcpu, stack_pointer(m.vcpu) + bytes + more);
    m.vcpu.eip = target;
    return {};
}

} // namespace

EmulationOutcome branch(const Machine& m) {
    switch (m.insn.mnemonic()) {
    case ZYDIS_MNEMONIC_JMP: return jump(m);
    case ZYDIS_MNEMONIC_CALL: return call(m);
    case ZYDIS_MNEMONIC_RET: return ret(m);
    case ZYDIS_MNEMONIC_LOOP:
    case ZYDIS_MNEMONIC_LOOPE:
    case ZYDIS_MNEMONIC_LOOPNE: return counter(m);
    case ZYDIS_MNEMONIC_JCXZ: return conditional(m, (m.vcpu.gpr[kEcx] & 0xFFFFU) == 0);
    case ZYDIS_MNEMONIC_JECXZ: return conditional(m, m.vcpu.gpr[kEcx] == 0);
    default: return conditional(m, condition_holds(m.vcpu.eflags, m.insn.info.opcode & 0xFU));
    }
}

} // namespace ringone::vmm::emulation
