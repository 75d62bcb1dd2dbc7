// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "translator/decoder.hpp"
#include "vmm/monitor/guest_fault.hpp"
#include "vmm/monitor/memory_access.hpp"
#include "vmm/monitor/vcpu.hpp"

#include <cstdint>

namespace ringone::vmm {

/// MOV to and from a segment register. MOV to SS casts the interrupt shadow; MOV to CS is #UD.
[[nodiscard]] MaybeFault move_segment(VCpu& vcpu, LinearMemory& memory, const translator::Instruction& insn);
/// PUSH and POP of a segment register; a 32-bit push is zero-extended. POP SS casts the interrupt shadow.
[[nodiscard]] MaybeFault push_segment(VCpu& vcpu, LinearMemory& memory, const translator::Instruction& insn);
[[nodiscard]] MaybeFault pop_segment(VCpu& vcpu, LinearMemory& memory, const translator::Instruction& insn);
/// LDS, LES, LFS, LGS, LSS.
[[nodiscard]] MaybeFault load_far_pointer(VCpu& vcpu, LinearMemory& memory, const translator::Instruction& insn);

/// Reads an m16:16 or m16:32 operand: offset first, then selector.
[[nodiscard]] MaybeFault read_far_pointer(const VCpu& vcpu, LinearMemory& memory, const translator::Instruction& insn,
                                          const ZydisDecodedOperand& operand, std::uint16_t& selector,
                                          std::uint32_t& offset);

} // namespace ringone::vmm
