// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "vmm/monitor/emulate/parts.hpp"

namespace ringone::vmm::emulation {
namespace {

EmulationOutcome push(const Machine& m) {
    const ZydisDecodedOperand& source = m.operand(0);
    std::uint32_t value = 0;
    if (source.type == ZYDIS_OPERAND_TYPE_IMMEDIATE) value = static_cast<std::uint32_t>(source.imm.value.s);
    else if (const MaybeFault fault = read_operand(m.vcpu, m.memory, m.insn, source, value))
        return EmulationOutcome::of(fault);
    return EmulationOutcome::of(stack_push(m.vcpu, m.memory, value, m.operand_bytes()));
}

EmulationOutcome pop(const Machine& m) {
    const std::uint32_t esp = m.vcpu.gpr[kEsp];
    std::uint32_t value = 0;
    if (const MaybeFault fault = stack_pop(m.vcpu, m.memory, value, m.operand_bytes())) return EmulationOutcome::of(fault);
    // The destination's address counts with ESP moved; POP ESP ends with the value (SDM Vol. 2, POP).
    const MaybeFault fault = write_operand(m.vcpu, m.memory, m.insn, m.operand(0), value);
    if (fault) m.vcpu.gpr[kEsp] = esp;
    return EmulationOutcome::of(fault);
}

EmulationOutcome push_all(const Machine& m) {
    const std::uint32_t bytes = m.operand_bytes();
    const std::uint32_t esp = m.vcpu.gpr[kEsp];
    const auto values = m.vcpu.gpr;
    for (std::size_t i = 0; i < values.size(); ++i)
        if (const MaybeFault fault = stack_push(m.vcpu, m.memory, values[i], bytes)) {
            m.vcpu.gpr[kEsp] = esp;
            return EmulationOutcome::of(fault);
        }
    return {};
}

EmulationOutcome pop_all(const Machine& m) {
    const std::uint32_t bytes = m.operand_bytes();
    std::uint32_t values[8];
    for (std::uint32_t i = 0; i < 8; ++i)
        if (const MaybeFault fault = stack_peek(m.vcpu, m.memory, i * bytes, values[7 - i], bytes))
            return EmulationOutcome::of(fault);
    for (std::uint32_t i = 0; i < 8; ++i)
        if (i != kEsp) m.vcpu.gpr[i] = (m.vcpu.gpr[i] & ~size_mask(bytes)) | values[i];
    set_stack_pointer(m.vcpu, stack_pointer(m.vcpu) + 8 * bytes);
    return {};
}

EmulationOutcome enter(const Machine& m) {
    const std::uint32_t bytes = m.operand_bytes();
    const auto size = static_cast<std::uint32_t>(m.operand(0).imm.value.u) & 0xFFFFU;
    const auto level = static_cast<std::uint32_t>(m.operand(1).imm.value.u) & 31U;
    VCpu after = m.vcpu;
    const bool wide_stack = after.segment(Segment::ss).big();
    if (const MaybeFault fault = stack_push(after, m.memory, after.gpr[kEbp], bytes)) return EmulationOutcome::of(fault);
    const std::uint32_t frame = after.gpr[kEsp];
    std::uint32_t link = after.gpr[kEbp];
    for (std::uint32_t i = 1; i < level; ++i) {
        link -= bytes;
        std::uint32_t value = 0;
        const std::uint32_t offset = wide_stack ? link : link & 0xFFFFU;
        const auto image = std::as_writable_bytes(std::span(&value, 1)).first(bytes);
        if (const MaybeFault fault = read_memory(after, m.memory, Segment::ss, offset, image))
            return EmulationOutcome::of(fault);
        if (const MaybeFault fault = stack_push(after, m.memory, value, bytes)) return EmulationOutcome::of(fault);
    }
    if (level > 0)
        if (const MaybeFault fault = stack_push(after, m.memory, frame, bytes)) return EmulationOutcome::of(fault);
    after.gpr[kEbp] = (after.gpr[kEbp] & ~size_mask(bytes)) | (frame & size_mask(bytes));
    set_stack_pointer(after, stack_pointer(after) - size);
    // A write at the final stack pointer must be possible (SDM Vol. 2, ENTER).
    if (const MaybeFault fault =
            probe_memory(after, m.memory, Segment::ss, stack_pointer(after), bytes, AccessType::write))
        return EmulationOutcome::of(fault);
    m.vcpu.gpr = after.gpr;
    return {};
}

EmulationOutcome leave(const Machine& m) {
    const std::uint32_t esp = m.vcpu.gpr[kEsp];
    set_stack_pointer(m.vcpu, m.vcpu.gpr[kEbp]);
    std::uint32_t value = 0;
    const std::uint32_t bytes = m.operand_bytes();
    if (const MaybeFault fault = stack_pop(m.vcpu, m.memory, value, bytes)) {
        m.vcpu.gpr[kEsp] = esp;
        return EmulationOutcome::of(fault);
    }
    m.vcpu.gpr[kEbp] = (m.vcpu.gpr[kEbp] & ~size_mask(bytes)) | value;
    return {};
}

} // namespace

EmulationOutcome stack(const Machine& m) {
    EmulationOutcome outcome;
    switch (m.insn.mnemonic()) {
    case ZYDIS_MNEMONIC_PUSH: outcome = push(m); break;
    case ZYDIS_MNEMONIC_POP: outcome = pop(m); break;
    case ZYDIS_MNEMONIC_PUSHA:
    case ZYDIS_MNEMONIC_PUSHAD: outcome = push_all(m); break;
    case ZYDIS_MNEMONIC_POPA:
    case ZYDIS_MNEMONIC_POPAD: outcome = pop_all(m); break;
    case ZYDIS_MNEMONIC_ENTER: outcome = enter(m); break;
    case ZYDIS_MNEMONIC_LEAVE: outcome = leave(m); break;
    default: return EmulationOutcome::unsupported("a stack instruction that the emulator does not know");
    }
    if (outcome.kind == EmulationOutcome::Kind::done) m.finish();
    return outcome;
}

} // namespace ringone::vmm::emulation
