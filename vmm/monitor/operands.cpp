// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "vmm/monitor/operands.hpp"

namespace ringone::vmm {
namespace {

using translator::Instruction;

constexpr std::uint32_t kWordMask = 0xFFFF;
constexpr std::uint32_t kMaxOffset = 0xFFFF'FFFF;
constexpr std::uint32_t kMaxAlignedAccess = 8; ///< larger images are not subject to #AC as a whole

std::uint32_t operand_bytes(const ZydisDecodedOperand& operand) { return operand.size / 8U; }

MaybeFault segment_fault(Segment segment) {
    return GuestFault::with_code(segment == Segment::ss ? vector::kStackFault : vector::kGeneralProtection, 0);
}

bool within_limit(const SegmentCache& cache, std::uint32_t offset, std::uint32_t bytes) {
    const std::uint32_t last = offset + bytes - 1U;
    if (cache.expand_down()) {
        const std::uint32_t upper = cache.big() ? kMaxOffset : kWordMask;
        return offset > cache.limit && last >= offset && last <= upper;
    }
    if (cache.limit == kMaxOffset) {
        return true;
    }
    return last >= offset && last <= cache.limit;
}

MaybeFault check_alignment(const VCpu& vcpu, std::uint32_t linear, std::uint32_t bytes) {
    const bool on = vcpu.cpl == 3 && (vcpu.cr0 & cr0::kAm) != 0 && (vcpu.eflags & eflags::kAlignmentCheck) != 0;
    const bool power_of_two = (bytes & (bytes - 1U)) == 0;
    if (!on || bytes == 0 || !power_of_two || bytes > kMaxAlignedAccess || (linear & (bytes - 1U)) == 0) {
        return {};
    }
    return GuestFault::with_code(vector::kAlignmentCheck, 0);
}

} // namespace

std::uint32_t read_gpr(const VCpu& vcpu, ZydisRegister reg) {
    if (reg >= ZYDIS_REGISTER_EAX && reg <= ZYDIS_REGISTER_EDI) {
        return vcpu.gpr[static_cast<std::size_t>(reg - ZYDIS_REGISTER_EAX)];
    }
    if (reg >= ZYDIS_REGISTER_AX && reg <= ZYDIS_REGISTER_DI) {
        return vcpu.gpr[static_cast<std::size_t>(reg - ZYDIS_REGISTER_AX)] & kWordMask;
    }
    if (reg >= ZYDIS_REGISTER_AL && reg <= ZYDIS_REGISTER_BL) {
        return vcpu.gpr[static_cast<std::size_t>(reg - ZYDIS_REGISTER_AL)] & 0xFFU;
    }
    if (reg >= ZYDIS_REGISTER_AH && reg <= ZYDIS_REGISTER_BH) {
        return (vcpu.gpr[static_cast<std::size_t>(reg - ZYDIS_REGISTER_AH)] >> 8U) & 0xFFU;
    }
    return 0;
}

void write_gpr(VCpu& vcpu, ZydisRegister reg, std::uint32_t value) {
    if (reg >= ZYDIS_REGISTER_EAX && reg <= ZYDIS_REGISTER_EDI) {
        vcpu.gpr[static_cast<std::size_t>(reg - ZYDIS_REGISTER_EAX)] = value;
    } else if (reg >= ZYDIS_REGISTER_AX && reg <= ZYDIS_REGISTER_DI) {
        auto& full = vcpu.gpr[static_cast<std::size_t>(reg - ZYDIS_REGISTER_AX)];
        full = (full & ~kWordMask) | (value & kWordMask);
    } else if (reg >= ZYDIS_REGISTER_AL && reg <= ZYDIS_REGISTER_BL) {
        auto& full = vcpu.gpr[static_cast<std::size_t>(reg - ZYDIS_REGISTER_AL)];
        full = (full & ~0xFFU) | (value & 0xFFU);
    } else if (reg >= ZYDIS_REGISTER_AH && reg <= ZYDIS_REGISTER_BH) {
        auto& full = vcpu.gpr[static_cast<std::size_t>(reg - ZYDIS_REGISTER_AH)];
        full = (full & ~0xFF00U) | ((value & 0xFFU) << 8U);
    }
}

Segment to_segment(ZydisRegister reg) {
    switch (reg) {
    case ZYDIS_REGISTER_ES: return Segment::es;
    case ZYDIS_REGISTER_CS: return Segment::cs;
    case ZYDIS_REGISTER_SS: return Segment::ss;
    case ZYDIS_REGISTER_FS: return Segment::fs;
    case ZYDIS_REGISTER_GS: return Segment::gs;
    default: return Segment::ds;
    }
}

std::uint32_t effective_offset(const VCpu& vcpu, const Instruction& insn, const ZydisDecodedOperand& operand) {
    std::uint32_t offset = 0;
    if (operand.mem.disp.has_displacement) {
        offset = static_cast<std::uint32_t>(operand.mem.disp.value);
    }
    offset += read_gpr(vcpu, operand.mem.base);
    if (operand.mem.index != ZYDIS_REGISTER_NONE) {
        offset += read_gpr(vcpu, operand.mem.index) * operand.mem.scale;
    }
    return insn.info.address_width == 16 ? offset & kWordMask : offset;
}

MaybeFault check_segment(const VCpu& vcpu, Segment segment, std::uint32_t offset, std::uint32_t bytes, AccessType type,
                         std::uint32_t& linear) {
    const SegmentCache& cache = vcpu.segment(segment);
    const bool allowed = type == AccessType::fetch || (type == AccessType::read ? cache.readable() : cache.writable());
    if (!cache.usable || !allowed || (bytes != 0 && !within_limit(cache, offset, bytes))) {
        return segment_fault(segment);
    }
    linear = cache.base + offset;
    return {};
}

MaybeFault check_access(const VCpu& vcpu, Segment segment, std::uint32_t offset, std::uint32_t bytes, AccessType type,
                        std::uint32_t& linear) {
    if (auto fault = check_segment(vcpu, segment, offset, bytes, type, linear)) {
        return fault;
    }
    return check_alignment(vcpu, linear, bytes);
}

MaybeFault read_memory(const VCpu& vcpu, LinearMemory& memory, Segment segment, std::uint32_t offset,
                       std::span<std::byte> to) {
    std::uint32_t linear = 0;
    if (auto fault = check_access(vcpu, segment, offset, static_cast<std::uint32_t>(to.size()), AccessType::read, linear)) {
        return fault;
    }
    return memory.read(linear, to, current_privilege(vcpu));
}

MaybeFault write_memory(const VCpu& vcpu, LinearMemory& memory, Segment segment, std::uint32_t offset,
                        std::span<const std::byte> from) {
    std::uint32_t linear = 0;
    if (auto fault = check_access(vcpu, segment, offset, static_cast<std::uint32_t>(from.size()), AccessType::write, linear)) {
        return fault;
    }
    return memory.write(linear, from, current_privilege(vcpu));
}

MaybeFault probe_memory(const VCpu& vcpu, LinearMemory& memory, Segment segment, std::uint32_t offset, std::uint32_t bytes,
                        AccessType type) {
    std::uint32_t linear = 0;
    if (auto fault = check_access(vcpu, segment, offset, bytes, type, linear)) {
        return fault;
    }
    return memory.probe(linear, bytes, type, current_privilege(vcpu));
}

MaybeFault read_operand(const VCpu& vcpu, LinearMemory& memory, const Instruction& insn, const ZydisDecodedOperand& operand,
                        std::uint32_t& value) {
    switch (operand.type) {
    case ZYDIS_OPERAND_TYPE_REGISTER: value = read_gpr(vcpu, operand.reg.value); return {};
    case ZYDIS_OPERAND_TYPE_IMMEDIATE: value = static_cast<std::uint32_t>(operand.imm.value.u); return {};
    default: break;
    }
    const std::uint32_t offset = effective_offset(vcpu, insn, operand);
    std::uint32_t read = 0;
    const auto to = std::as_writable_bytes(std::span(&read, 1)).first(operand_bytes(operand));
    if (auto fault = read_memory(vcpu, memory, to_segment(operand.mem.segment), offset, to)) {
        return fault;
    }
    value = read;
    return {};
}

MaybeFault write_operand(VCpu& vcpu, LinearMemory& memory, const Instruction& insn, const ZydisDecodedOperand& operand,
                         std::uint32_t value) {
    if (operand.type == ZYDIS_OPERAND_TYPE_REGISTER) {
        write_gpr(vcpu, operand.reg.value, value);
        return {};
    }
    const std::uint32_t offset = effective_offset(vcpu, insn, operand);
    const auto from = std::as_bytes(std::span(&value, 1)).first(operand_bytes(operand));
    return write_memory(vcpu, memory, to_segment(operand.mem.segment), offset, from);
}

std::uint32_t stack_pointer(const VCpu& vcpu) {
    return vcpu.segment(Segment::ss).big() ? vcpu.gpr[kEsp] : vcpu.gpr[kEsp] & kWordMask;
}

void set_stack_pointer(VCpu& vcpu, std::uint32_t value) {
    write_gpr(vcpu, vcpu.segment(Segment::ss).big() ? ZYDIS_REGISTER_ESP : ZYDIS_REGISTER_SP, value);
}

MaybeFault stack_push(VCpu& vcpu, LinearMemory& memory, std::uint32_t value, std::uint32_t size) {
    const std::uint32_t mask = vcpu.segment(Segment::ss).big() ? kMaxOffset : kWordMask;
    const std::uint32_t top = (stack_pointer(vcpu) - size) & mask;
    if (auto fault = write_memory(vcpu, memory, Segment::ss, top, std::as_bytes(std::span(&value, 1)).first(size))) {
        return fault;
    }
    set_stack_pointer(vcpu, top);
    return {};
}

MaybeFault stack_peek(const VCpu& vcpu, LinearMemory& memory, std::uint32_t skip, std::uint32_t& value, std::uint32_t size) {
    const std::uint32_t mask = vcpu.segment(Segment::ss).big() ? kMaxOffset : kWordMask;
    std::uint32_t read = 0;
    const auto to = std::as_writable_bytes(std::span(&read, 1)).first(size);
    if (auto fault = read_memory(vcpu, memory, Segment::ss, (stack_pointer(vcpu) + skip) & mask, to)) {
        return fault;
    }
    value = read;
    return {};
}

MaybeFault stack_pop(VCpu& vcpu, LinearMemory& memory, std::uint32_t& value, std::uint32_t size) {
    if (auto fault = stack_peek(vcpu, memory, 0, value, size)) {
        return fault;
    }
    set_stack_pointer(vcpu, stack_pointer(vcpu) + size);
    return {};
}

} // namespace ringone::vmm
