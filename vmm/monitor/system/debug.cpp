// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "vmm/monitor/system/debug.hpp"

namespace ringone::vmm {

std::uint32_t instruction_breakpoint(const VCpu& vcpu, std::uint32_t linear) {
    constexpr unsigned kBreakpoints = 4;
    constexpr unsigned kControlShift = 16; // R/Wn and LENn: four bits a breakpoint
    if ((vcpu.eflags & eflags::kResume) != 0) {
        return 0;
    }
    std::uint32_t hit = 0;
    for (unsigned i = 0; i < kBreakpoints; ++i) {
        const bool enabled = ((vcpu.dr[7] >> (2 * i)) & 3U) != 0;
        const bool execution = ((vcpu.dr[7] >> (kControlShift + 4 * i)) & 3U) == 0;
        if (enabled && execution && vcpu.dr[i] == linear) {
            hit |= 1U << i;
        }
    }
    return hit;
}

} // namespace ringone::vmm
