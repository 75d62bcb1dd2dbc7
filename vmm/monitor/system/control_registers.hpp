// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "vmm/monitor/guest_fault.hpp"
#include "vmm/monitor/system/hooks.hpp"
#include "vmm/monitor/vcpu.hpp"

#include <cstdint>

namespace ringone::vmm {

/// Control and debug registers (SDM Vol. 3 sections 2.5, 17.2; Vol. 2 MOV, LMSW, CLTS). The CPL has been checked by the caller.
/// #GP(0) for reserved bits and for combinations the SDM forbids; #UD for registers that do not exist. Nothing has changed then.
[[nodiscard]] MaybeFault read_control_register(const VCpu& vcpu, unsigned index, std::uint32_t& value);
[[nodiscard]] MaybeFault write_control_register(VCpu& vcpu, SystemHooks& hooks, unsigned index, std::uint32_t value);

/// LMSW: PE can be set, not cleared.
[[nodiscard]] MaybeFault load_machine_status(VCpu& vcpu, SystemHooks& hooks, std::uint16_t value);

/// DR4 and DR5 are DR6 and DR7, or #UD with CR4.DE. With DR7.GD set: #DB, DR6.BD set (SDM Vol. 3 section 17.2.3).
[[nodiscard]] MaybeFault read_debug_register(VCpu& vcpu, unsigned index, std::uint32_t& value);
[[nodiscard]] MaybeFault write_debug_register(VCpu& vcpu, unsigned index, std::uint32_t value);

} // namespace ringone::vmm
