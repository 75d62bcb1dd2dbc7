// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "vmm/monitor/emulate/emulate.hpp"
#include "vmm/monitor/operands.hpp"

namespace ringone::vmm::emulation {

/// What every part needs.
struct Machine {
    VCpu& vcpu;
    LinearMemory& memory;
    NativeRunner& runner;
    const translator::Instruction& insn;

    [[nodiscard]] translator::CodeSize code_size() const {
        return vcpu.segment(Segment::cs).big() ? translator::CodeSize::bits32 : translator::CodeSize::bits16;
    }
    void finish() const { vcpu.eip = wrap(insn.next_eip()); }
    [[nodiscard]] std::uint32_t wrap(std::uint32_t eip) const {
        return vcpu.segment(Segment::cs).big() ? eip : eip & 0xFFFFU;
    }
    [[nodiscard]] const ZydisDecodedOperand& operand(std::size_t i) const { return insn.operands[i]; }
    [[nodiscard]] std::uint32_t operand_bytes() const { return insn.info.operand_width / 8U; }
};

/// Any instruction with one explicit memory operand: run on the CPU with the operand in the scratch buffer.
[[nodiscard]] EmulationOutcome substitute(const Machine& machine);
/// XLAT, BT and its kin with a register bit offset, MASKMOVQ, MASKMOVDQU.
[[nodiscard]] EmulationOutcome xlat(const Machine& machine);
[[nodiscard]] EmulationOutcome bit_string(const Machine& machine);
[[nodiscard]] EmulationOutcome masked_move(const Machine& machine);
/// CLFLUSH and its kin.
[[nodiscard]] EmulationOutcome flush_line(const Machine& machine);
/// PUSH, POP, PUSHA, POPA, ENTER, LEAVE.
[[nodiscard]] EmulationOutcome stack(const Machine& machine);
/// Near JMP, CALL, RET, Jcc, LOOPcc, JCXZ.
[[nodiscard]] EmulationOutcome branch(const Machine& machine);
/// MOVS, STOS, LODS, CMPS, SCAS.
[[nodiscard]] EmulationOutcome string(const Machine& machine);

} // namespace ringone::vmm::emulation
