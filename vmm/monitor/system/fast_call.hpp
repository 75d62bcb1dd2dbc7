// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "vmm/monitor/guest_fault.hpp"
#include "vmm/monitor/vcpu.hpp"

namespace ringone::vmm {

/// SYSENTER and SYSEXIT (SDM Vol. 2; Vol. 3 section 5.8.7): flat segments by the selectors of IA32_SYSENTER_CS, no descriptor read.
/// #GP(0) in real-address mode, with a null IA32_SYSENTER_CS, and for SYSEXIT where CPL is not 0.
[[nodiscard]] MaybeFault system_enter(VCpu& vcpu);
[[nodiscard]] MaybeFault system_exit(VCpu& vcpu);

/// CS and SS that IA32_SYSENTER_CS gives to the kernel (CPL 0) and to user mode (CPL 3).
struct FastSegments {
    SegmentCache cs, ss;
};
[[nodiscard]] FastSegments fast_segments(const VCpu& vcpu, unsigned cpl);
/// Would SYSENTER be #GP(0)?
[[nodiscard]] bool fast_calls_unusable(const VCpu& vcpu);

} // namespace ringone::vmm
