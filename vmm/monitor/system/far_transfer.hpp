// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "vmm/monitor/guest_fault.hpp"
#include "vmm/monitor/memory_access.hpp"
#include "vmm/monitor/system/hooks.hpp"
#include "vmm/monitor/vcpu.hpp"

#include <cstdint>

namespace ringone::vmm {

/// Where a far JMP or CALL goes.
struct FarTarget {
    std::uint16_t selector = 0;
    std::uint32_t offset = 0;
    std::uint32_t operand_size = 4; ///< 2 or 4 bytes
    std::uint32_t return_eip = 0;   ///< behind the instruction
};

/// JMP far: code segments, call gates, task gates and TSSs (SDM Vol. 2 JMP; Vol. 3 section 5.8). Sets CS, EIP.
[[nodiscard]] MaybeFault far_jump(VCpu& vcpu, LinearMemory& memory, SystemHooks& hooks, const FarTarget& target);
/// CALL far: as the jump, and to an inner level through a call gate (SDM Vol. 2 CALL).
[[nodiscard]] MaybeFault far_call(VCpu& vcpu, LinearMemory& memory, SystemHooks& hooks, const FarTarget& target);
/// RET far: releases `parameter_bytes` from both stacks (SDM Vol. 2 RET). `size` is the operand size, 2 or 4 bytes.
[[nodiscard]] MaybeFault far_return(VCpu& vcpu, LinearMemory& memory, std::uint32_t size, std::uint32_t parameter_bytes);
/// IRET in every form (SDM Vol. 2 IRET). `return_eip` is what a task switch saves.
[[nodiscard]] MaybeFault interrupt_return(VCpu& vcpu, LinearMemory& memory, SystemHooks& hooks, std::uint32_t size,
                                          std::uint32_t return_eip);

/// A popped far pointer and how much of the frame lies below SS:ESP.
struct ReturnFrame {
    std::uint16_t cs = 0;
    std::uint32_t eip = 0;
    std::uint32_t size = 4;            ///< bytes a slot
    std::uint32_t popped = 0;          ///< bytes popped so far
    std::uint32_t parameter_bytes = 0; ///< released behind them
};

/// The protected-mode part RET and IRET share: checks CS, and SS for an outer level; moves `next` there.
[[nodiscard]] MaybeFault return_to_segment(VCpu& next, LinearMemory& memory, const ReturnFrame& frame);

} // namespace ringone::vmm
