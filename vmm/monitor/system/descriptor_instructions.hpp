// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "translator/decoder.hpp"
#include "vmm/monitor/guest_fault.hpp"
#include "vmm/monitor/memory_access.hpp"
#include "vmm/monitor/vcpu.hpp"

#include <cstdint>

namespace ringone::vmm {

/// LLDT and LTR (SDM Vol. 2). The CPL has been checked by the caller. #GP(sel) for a wrong table or type, #NP(sel). LTR sets the
/// busy bit in guest memory.
[[nodiscard]] MaybeFault load_ldtr(VCpu& vcpu, LinearMemory& memory, std::uint16_t selector);
[[nodiscard]] MaybeFault load_task_register(VCpu& vcpu, LinearMemory& memory, std::uint16_t selector);

/// LAR, LSL, VERR, VERW, ARPL: operands, ZF, protected mode only (#UD elsewhere).
[[nodiscard]] MaybeFault execute_selector_query(VCpu& vcpu, LinearMemory& memory, const translator::Instruction& insn);

/// SLDT, STR: #UD outside protected mode.
[[nodiscard]] MaybeFault execute_store_selector(VCpu& vcpu, LinearMemory& memory, const translator::Instruction& insn);

/// LGDT, LIDT, SGDT, SIDT, with 24-bit bases in their 16-bit forms. The CPL has been checked by the caller.
[[nodiscard]] MaybeFault execute_table_register(VCpu& vcpu, LinearMemory& memory, const translator::Instruction& insn);

} // namespace ringone::vmm
