// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "translator/decoder.hpp"
#include "vmm/monitor/vcpu.hpp"

#include <cstdint>

namespace ringone::vmm {

/// Has the guest armed a breakpoint in DR7? Then it runs one instruction at a time, and the monitor compares what each
/// is about to do: the host's debug registers are not ours to use.
[[nodiscard]] constexpr bool breakpoints_armed(const VCpu& vcpu) {
    constexpr std::uint32_t kEnables = 0xFF; // L0, G0 .. L3, G3
    return (vcpu.dr[7] & kEnables) != 0;
}

/// The data and I/O breakpoints that the instruction, about to be executed, will meet, as DR6 bits 0-3 (SDM Vol. 3
/// sections 17.2.4, 17.2.5, 17.3.1.3): explicit and implicit memory operands, and ports where CR4.DE is set. What an
/// interrupt or a far transfer pushes is not looked at.
[[nodiscard]] std::uint32_t data_breakpoints(const VCpu& vcpu, const translator::Instruction& instruction);

} // namespace ringone::vmm
