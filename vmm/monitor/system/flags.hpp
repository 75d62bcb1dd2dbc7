// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "vmm/monitor/guest_fault.hpp"
#include "vmm/monitor/memory_access.hpp"
#include "vmm/monitor/vcpu.hpp"

#include <cstdint>

namespace ringone::vmm {

/// CLI and STI (SDM Vol. 2): #GP(0) where CPL > IOPL, in virtual-8086 mode where IOPL < 3. STI casts its shadow when IF was 0.
[[nodiscard]] MaybeFault clear_interrupt_flag(VCpu& vcpu);
[[nodiscard]] MaybeFault set_interrupt_flag(VCpu& vcpu);

/// PUSHF, PUSHFD, POPF, POPFD; `size` is 2 or 4 bytes (SDM Vol. 2, POPF table 4-16; VME and PVI off).
[[nodiscard]] MaybeFault push_flags(VCpu& vcpu, LinearMemory& memory, std::uint32_t size);
[[nodiscard]] MaybeFault pop_flags(VCpu& vcpu, LinearMemory& memory, std::uint32_t size);

/// EFLAGS after an IRET in the current mode popped `popped` (SDM Vol. 2 IRET), VM being left as it is.
[[nodiscard]] std::uint32_t flags_after_iret(const VCpu& vcpu, std::uint32_t popped, std::uint32_t size);
/// EFLAGS after an IRET at CPL 0 to virtual-8086 mode.
[[nodiscard]] std::uint32_t flags_for_v86(std::uint32_t popped);

} // namespace ringone::vmm
