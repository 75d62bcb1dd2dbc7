// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "vmm/monitor/emulate/parts.hpp"

namespace ringone::vmm {

EmulationOutcome emulate(VCpu& vcpu, LinearMemory& memory, NativeRunner& runner, const translator::Instruction& insn) {
    const emulation::Machine machine{vcpu, memory, runner, insn};
    switch (insn.info.meta.category) {
    case ZYDIS_CATEGORY_COND_BR:
    case ZYDIS_CATEGORY_UNCOND_BR:
    case ZYDIS_CATEGORY_CALL:
    case ZYDIS_CATEGORY_RET: return emulation::branch(machine);
    case ZYDIS_CATEGORY_PUSH:
    case ZYDIS_CATEGORY_POP: return emulation::stack(machine);
    // Their memory operand is no access: they never fault (SDM Vol. 2, NOP and PREFETCHh).
    case ZYDIS_CATEGORY_NOP:
    case ZYDIS_CATEGORY_WIDENOP:
    case ZYDIS_CATEGORY_PREFETCHWT1:
    case ZYDIS_CATEGORY_PREFETCH: machine.finish(); return {};
    default: break;
    }
    switch (insn.mnemonic()) {
    case ZYDIS_MNEMONIC_ENTER:
    case ZYDIS_MNEMONIC_LEAVE: return emulation::stack(machine);
    case ZYDIS_MNEMONIC_XLAT: return emulation::xlat(machine);
    case ZYDIS_MNEMONIC_BT:
    case ZYDIS_MNEMONIC_BTS:
    case ZYDIS_MNEMONIC_BTR:
    case ZYDIS_MNEMONIC_BTC:
        if (machine.operand(0).type == ZYDIS_OPERAND_TYPE_MEMORY &&
            machine.operand(1).type == ZYDIS_OPERAND_TYPE_REGISTER)
            return emulation::bit_string(machine);
        break;
    case ZYDIS_MNEMONIC_CLFLUSH:
    case ZYDIS_MNEMONIC_CLFLUSHOPT:
    case ZYDIS_MNEMONIC_CLWB: return emulation::flush_line(machine);
    case ZYDIS_MNEMONIC_MASKMOVQ:
    case ZYDIS_MNEMONIC_MASKMOVDQU: return emulation::masked_move(machine);
    case ZYDIS_MNEMONIC_MOVSB:
    case ZYDIS_MNEMONIC_MOVSW:
    case ZYDIS_MNEMONIC_STOSB:
    case ZYDIS_MNEMONIC_STOSW:
    case ZYDIS_MNEMONIC_STOSD:
    case ZYDIS_MNEMONIC_LODSB:
    case ZYDIS_MNEMONIC_LODSW:
    case ZYDIS_MNEMONIC_LODSD:
    case ZYDIS_MNEMONIC_CMPSB:
    case ZYDIS_MNEMONIC_CMPSW:
    case ZYDIS_MNEMONIC_SCASB:
    case ZYDIS_MNEMONIC_SCASW:
    case ZYDIS_MNEMONIC_SCASD: return emulation::string(machine);
    case ZYDIS_MNEMONIC_MOVSD: // the SSE2 move has the same mnemonic
    case ZYDIS_MNEMONIC_CMPSD:
        if (insn.info.meta.category == ZYDIS_CATEGORY_STRINGOP) return emulation::string(machine);
        break;
    default: break;
    }
    return emulation::substitute(machine);
}

} // namespace ringone::vmm
