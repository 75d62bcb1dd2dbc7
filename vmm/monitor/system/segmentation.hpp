// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "vmm/monitor/guest_fault.hpp"
#include "vmm/monitor/memory_access.hpp"
#include "vmm/monitor/system/descriptor.hpp"
#include "vmm/monitor/vcpu.hpp"

#include <cstdint>
#include <optional>

namespace ringone::vmm {

/// Linear address of the descriptor a selector names; nothing for a null selector, one past its table's limit, or one in
/// an LDT that is not there.
[[nodiscard]] std::optional<std::uint32_t> descriptor_address(const VCpu& vcpu, std::uint16_t selector);

/// Reads a descriptor from the GDT or LDT by a supervisor access. `fault_vector`(selector) when the selector names none.
[[nodiscard]] MaybeFault read_descriptor(const VCpu& vcpu, LinearMemory& memory, std::uint16_t selector, Descriptor& out,
                                         std::uint8_t fault_vector = vector::kGeneralProtection);

/// Sets the accessed bit of a code or data segment in guest memory and in `descriptor` (SDM Vol. 3 section 3.4.5.1).
[[nodiscard]] MaybeFault mark_accessed(const VCpu& vcpu, LinearMemory& memory, std::uint16_t selector,
                                       Descriptor& descriptor);

/// Loads ES, SS, DS, FS or GS in any mode, as MOV does (SDM Vol. 2 MOV, POP, LDS; Vol. 3 section 5.6). #GP(0) and #GP(sel)
/// for a bad selector or descriptor, #NP(sel), #SS(sel) when it is not present; the register then keeps its value. CS is
/// loaded by far transfers only.
[[nodiscard]] MaybeFault load_segment(VCpu& vcpu, LinearMemory& memory, Segment segment, std::uint16_t selector);

/// Real-address mode: base is selector * 16; the limit an earlier protected-mode load left stays ("big real mode"), 0xFFFF
/// where there is none. Virtual-8086 mode: limit 0xFFFF, DPL 3 (SDM Vol. 3 sections 20.1.1, 20.2.1).
void load_real_segment(VCpu& vcpu, Segment segment, std::uint16_t selector);

/// Leaves a data segment register holding a null selector.
void load_null_segment(VCpu& vcpu, Segment segment, std::uint16_t selector);

/// The checks on a stack segment for `cpl`: `fault_vector` is #GP for loads and returns, #TS for stacks out of a TSS.
/// A segment that is not present is #SS(sel). Sets the accessed bit; fills `out`.
[[nodiscard]] MaybeFault check_stack_segment(const VCpu& vcpu, LinearMemory& memory, std::uint16_t selector, unsigned cpl,
                                             std::uint8_t fault_vector, SegmentCache& out);

/// SS:ESP for privilege level `cpl` out of the current TSS (SDM Vol. 3 section 5.8.5). #TS(TR), #TS(ss), #SS(ss).
[[nodiscard]] MaybeFault read_inner_stack(const VCpu& vcpu, LinearMemory& memory, unsigned cpl, SegmentCache& ss,
                                          std::uint32_t& esp);

/// After a return to an outer level: data segments the new CPL may not use become null (SDM Vol. 3 section 5.8.6).
void drop_inaccessible_segments(VCpu& vcpu);

/// State after power-up or RESET, SDM Vol. 3 table 9-1.
void reset(VCpu& vcpu);

} // namespace ringone::vmm
