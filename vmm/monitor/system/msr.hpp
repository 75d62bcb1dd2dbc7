// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "vmm/monitor/guest_fault.hpp"
#include "vmm/monitor/system/hooks.hpp"
#include "vmm/monitor/vcpu.hpp"

#include <cstdint>

namespace ringone::vmm {

/// The guest's time-stamp counter.
[[nodiscard]] std::uint64_t guest_tsc(const VCpu& vcpu, SystemHooks& hooks);

/// RDMSR and WRMSR (SDM Vol. 4 chapter 2): TSC, SYSENTER_*, PAT, EFER (NXE), microcode revision, and on Intel MISC_ENABLE. #GP(0)
/// for any other index and for reserved bits. The CPL has been checked by the caller.
[[nodiscard]] MaybeFault read_msr(const VCpu& vcpu, SystemHooks& hooks, std::uint32_t index, std::uint64_t& value);
[[nodiscard]] MaybeFault write_msr(VCpu& vcpu, SystemHooks& hooks, std::uint32_t index, std::uint64_t value);

} // namespace ringone::vmm
