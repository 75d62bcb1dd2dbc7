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

} // namespace ringone::vmm
