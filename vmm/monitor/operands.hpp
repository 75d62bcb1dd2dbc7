// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "translator/decoder.hpp"
#include "vmm/monitor/guest_fault.hpp"
#include "vmm/monitor/memory_access.hpp"
#include "vmm/monitor/vcpu.hpp"

#include <Zydis/Zydis.h>

#include <cstdint>
#include <span>

namespace ringone::vmm {

/// Operand access of emulated instructions: registers, segmented memory, the stack. Every function that returns a
/// MaybeFault leaves registers and memory as they were when it returns a fault.

/// Low `bytes` (1, 2 or 4) bytes set.
[[nodiscard]] constexpr std::uint32_t size_mask(std::uint32_t bytes) {
    return bytes == 1 ? 0xFFU : bytes == 2 ? 0xFFFFU : 0xFFFF'FFFFU;
}

/// The privilege of an explicit memory access: user at CPL 3 (SDM Vol. 3 section 4.6.1).
[[nodiscard]] constexpr AccessPrivilege current_privilege(const VCpu& vcpu) {
    return vcpu.cpl == 3 ? AccessPrivilege::user : AccessPrivilege::supervisor;
}

/// An 8, 16 or 32-bit general register, zero-extended. Other registers read as 0.
[[nodiscard]] std::uint32_t read_gpr(const VCpu& vcpu, ZydisRegister reg);
/// Writes an 8, 16 or 32-bit general register; the bits above a narrow one stay.
void write_gpr(VCpu& vcpu, ZydisRegister reg, std::uint32_t value);

/// ZYDIS_REGISTER_ES..GS as Segment; anything else is DS.
[[nodiscard]] Segment to_segment(ZydisRegister reg);

/// Offset of a memory operand within its segment, wrapped to the address size (SDM Vol. 1 section 3.7.5). The stack pointer
/// counts as it stands: `pop [esp+n]` must be asked after ESP moved.
[[nodiscard]] std::uint32_t effective_offset(const VCpu& vcpu, const translator::Instruction& insn,
                                             const ZydisDecodedOperand& operand);

/// Limit, type and usability of a segment (SDM Vol. 3 sections 5.3, 5.5): #SS(0) for SS, #GP(0) for the others. On success
/// `linear` is the guest-linear address. A limit of 4 GiB wraps, as CPUs do. Paging is not consulted.
[[nodiscard]] MaybeFault check_segment(const VCpu& vcpu, Segment segment, std::uint32_t offset, std::uint32_t bytes,
                                       AccessType type, std::uint32_t& linear);

/// check_segment(), and then #AC(0) as below. Paging is not consulted.
[[nodiscard]] MaybeFault check_access(const VCpu& vcpu, Segment segment, std::uint32_t offset, std::uint32_t bytes,
                                      AccessType type, std::uint32_t& linear);

/// Segmented access at the current CPL. #AC(0) for a misaligned 2, 4 or 8-byte access where CR0.AM, EFLAGS.AC and CPL ask.
[[nodiscard]] MaybeFault read_memory(const VCpu& vcpu, LinearMemory& memory, Segment segment, std::uint32_t offset,
                                     std::span<std::byte> to);
[[nodiscard]] MaybeFault write_memory(const VCpu& vcpu, LinearMemory& memory, Segment segment, std::uint32_t offset,
                                      std::span<const std::byte> from);
/// Would the access succeed? For instructions that need a writable destination before an irreversible effect.
[[nodiscard]] MaybeFault probe_memory(const VCpu& vcpu, LinearMemory& memory, Segment segment, std::uint32_t offset,
                                      std::uint32_t bytes, AccessType type);

template <typename T>
[[nodiscard]] MaybeFault load_memory(const VCpu& vcpu, LinearMemory& memory, Segment segment, std::uint32_t offset, T& value) {
    return read_memory(vcpu, memory, segment, offset, std::as_writable_bytes(std::span(&value, 1)));
}
template <typename T>
[[nodiscard]] MaybeFault store_memory(const VCpu& vcpu, LinearMemory& memory, Segment segment, std::uint32_t offset,
                                      const T& value) {
    return write_memory(vcpu, memory, segment, offset, std::as_bytes(std::span(&value, 1)));
}

/// Reads a register, immediate or memory operand of at most 32 bits, zero-extended (immediates: cut to 32 bits).
[[nodiscard]] MaybeFault read_operand(const VCpu& vcpu, LinearMemory& memory, const translator::Instruction& insn,
                                      const ZydisDecodedOperand& operand, std::uint32_t& value);
/// Writes the operand's size (at most 32 bits) to a general register or memory.
[[nodiscard]] MaybeFault write_operand(VCpu& vcpu, LinearMemory& memory, const translator::Instruction& insn,
                                       const ZydisDecodedOperand& operand, std::uint32_t value);

/// ESP or SP, as SS.B says.
[[nodiscard]] std::uint32_t stack_pointer(const VCpu& vcpu);
void set_stack_pointer(VCpu& vcpu, std::uint32_t value);

/// Pushes the low `size` (2 or 4) bytes of `value`.
[[nodiscard]] MaybeFault stack_push(VCpu& vcpu, LinearMemory& memory, std::uint32_t value, std::uint32_t size);
/// Pops `size` (2 or 4) bytes, zero-extended.
[[nodiscard]] MaybeFault stack_pop(VCpu& vcpu, LinearMemory& memory, std::uint32_t& value, std::uint32_t size);
/// What `stack_pop` would return after `skip` bytes more had been popped.
[[nodiscard]] MaybeFault stack_peek(const VCpu& vcpu, LinearMemory& memory, std::uint32_t skip, std::uint32_t& value,
                                    std::uint32_t size);

} // namespace ringone::vmm
