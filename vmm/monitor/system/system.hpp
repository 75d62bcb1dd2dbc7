// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "translator/decoder.hpp"
#include "vmm/monitor/guest_fault.hpp"
#include "vmm/monitor/memory_access.hpp"
#include "vmm/monitor/system/event.hpp"
#include "vmm/monitor/system/hooks.hpp"
#include "vmm/monitor/vcpu.hpp"

#include <cstdint>

namespace ringone::vmm {

/// How an instruction that the monitor executed ended.
struct Outcome {
    enum class Kind : std::uint8_t {
        next,     ///< done, EIP behind the instruction
        jumped,   ///< done, control transferred: CS, EIP, CPL or mode may be new
        repeat,   ///< a REP INS/OUTS did a bounded number of iterations: EIP still at the instruction, interrupts may be taken
        fault,    ///< deliver `fault` at VCpu::eip. Registers are unchanged, unless a task switch got far enough that the
                  ///< fault belongs to the new task
        halt,     ///< HLT: EIP behind the instruction, VCpu::halted set
        shutdown, ///< triple fault while INT n was delivered
    };
    Kind kind = Kind::next;
    GuestFault fault{};

    [[nodiscard]] static constexpr Outcome of(const MaybeFault& maybe, Kind otherwise) {
        return maybe ? Outcome{Kind::fault, *maybe} : Outcome{otherwise, {}};
    }
};

/// Executes one instruction whose table action is `system`, or the software form of cli, sti, pushf, popf, iret,
/// read_selector or read_tsc. Expects VCpu::eip == insn.eip. All privilege and mode checks are made here. Sets
/// VCpu::shadow (STI, MOV SS, POP SS) and ends an earlier shadow. An instruction that is none of these is #UD.
[[nodiscard]] Outcome execute_system(VCpu& vcpu, LinearMemory& memory, IoBus& bus, SystemHooks& hooks,
                                     const translator::Instruction& insn);

} // namespace ringone::vmm
