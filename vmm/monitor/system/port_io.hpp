// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "translator/decoder.hpp"
#include "vmm/monitor/guest_fault.hpp"
#include "vmm/monitor/memory_access.hpp"
#include "vmm/monitor/vcpu.hpp"

#include <cstdint>

namespace ringone::vmm {

/// May the current program touch ports `port` .. `port + size - 1`? IOPL, else the TSS's I/O permission bitmap; always the bitmap in
/// virtual-8086 mode (SDM Vol. 1 section 18.5). #GP(0), or #PF from the bitmap's page.
[[nodiscard]] MaybeFault check_port(const VCpu& vcpu, LinearMemory& memory, std::uint16_t port, std::uint32_t size);

/// IN and OUT.
[[nodiscard]] MaybeFault execute_in(VCpu& vcpu, LinearMemory& memory, IoBus& bus, const translator::Instruction& insn);
[[nodiscard]] MaybeFault execute_out(const VCpu& vcpu, LinearMemory& memory, IoBus& bus,
                                     const translator::Instruction& insn);

/// Iterations that one call of a REP INS or OUTS runs before interrupts get their chance.
inline constexpr std::uint32_t kMaxStringIterations = 512;

/// INS and OUTS of `size` bytes, REP forms included. `again` is set when iterations are left. Registers are right for a restart after
/// each iteration, so a fault in the middle keeps what has been done, as on hardware.
[[nodiscard]] MaybeFault execute_string_io(VCpu& vcpu, LinearMemory& memory, IoBus& bus,
                                           const translator::Instruction& insn, bool input, std::uint32_t size, bool& again);

} // namespace ringone::vmm
