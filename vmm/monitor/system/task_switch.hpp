// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "vmm/monitor/guest_fault.hpp"
#include "vmm/monitor/memory_access.hpp"
#include "vmm/monitor/system/descriptor.hpp"
#include "vmm/monitor/system/hooks.hpp"
#include "vmm/monitor/vcpu.hpp"

#include <cstdint>

namespace ringone::vmm {

enum class TaskSwitchCause : std::uint8_t { jump, call, interrupt, iret };

struct TaskSwitch {
    std::uint16_t selector = 0;
    Descriptor descriptor{}; ///< of the TSS, as check_tss read it
    TaskSwitchCause cause = TaskSwitchCause::jump;
    std::uint32_t saved_eip = 0;    ///< where the old task goes on
    std::uint32_t saved_eflags = 0; ///< its flags
    bool has_error_code = false;    ///< pushed on the new task's stack
    std::uint32_t error_code = 0;
};

/// A selector that is to name a TSS one can switch to: in the GDT, available (busy for IRET), present. #GP(sel), for IRET
/// #TS(sel); #NP(sel).
[[nodiscard]] MaybeFault check_tss(const VCpu& vcpu, LinearMemory& memory, std::uint16_t selector, TaskSwitchCause cause,
                                   Descriptor& out);

/// Hardware task switch, 16 and 32-bit (SDM Vol. 3 sections 7.2, 7.3). A fault before the commit point leaves the virtual CPU in
/// the old task; one behind it (segment checks, pushed error code, debug trap bit) in the new one, at its EIP.
[[nodiscard]] MaybeFault switch_task(VCpu& vcpu, LinearMemory& memory, SystemHooks& hooks, const TaskSwitch& request);

} // namespace ringone::vmm
