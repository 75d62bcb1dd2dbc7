// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "vmm/monitor/system/segment_instructions.hpp"

#include "vmm/monitor/operands.hpp"
#include "vmm/monitor/system/segmentation.hpp"

#include <array>
#include <cstring>
#include <span>

namespace ringone::vmm {
namespace {

using translator::Instruction;

constexpr std::size_t kMaxPointerBytes = 6;

bool is_segment(const ZydisDecodedOperand& operand) {
    return operand.type == ZYDIS_OPERAND_TYPE_REGISTER && operand.reg.value >= ZYDIS_REGISTER_ES &&
           operand.reg.value <= ZYDIS_REGISTER_GS;
}

std::uint32_t operand_bytes(const Instruction& insn) { return insn.info.operand_width == 16 ? 2 : 4; }

GuestFault invalid_opcode() { return GuestFault::plain(vector::kInvalidOpcode); }

void cast_shadow(VCpu& vcpu, Segment segment) {
    if (segment == Segment::ss) {
        vcpu.shadow = InterruptShadow::mov_ss;
    }
}

Segment pointer_segment(ZydisMnemonic mnemonic) {
    switch (mnemonic) {
    case ZYDIS_MNEMONIC_LES: return Segment::es;
    case ZYDIS_MNEMONIC_LFS: return Segment::fs;
    case ZYDIS_MNEMONIC_LGS: return Segment::gs;
    case ZYDIS_MNEMONIC_LSS: return Segment::ss;
    default: return Segment::ds;
    }
}

} // namespace

MaybeFault move_segment(VCpu& vcpu, LinearMemory& memory, const Instruction& insn) {
    const ZydisDecodedOperand& to = insn.operands[0];
    const ZydisDecodedOperand& from = insn.operands[1];
    if (is_segment(from)) {
        return write_operand(vcpu, memory, insn, to, vcpu.segment(to_segment(from.reg.value)).selector);
    }
    if (!is_segment(to) || to.reg.value == ZYDIS_REGISTER_CS) {
        return invalid_opcode();
    }
    std::uint32_t selector = 0;
    if (auto fault = read_operand(vcpu, memory, insn, from, selector)) {
        return fault;
    }
    const Segment segment = to_segment(to.reg.value);
    if (auto fault = load_segment(vcpu, memory, segment, static_cast<std::uint16_t>(selector))) {
        return fault;
    }
    cast_shadow(vcpu, segment);
    return {};
}

MaybeFault push_segment(VCpu& vcpu, LinearMemory& memory, const Instruction& insn) {
    const ZydisDecodedOperand& from = insn.operands[0];
    if (!is_segment(from)) {
        return invalid_opcode();
    }
    return stack_push(vcpu, memory, vcpu.segment(to_segment(from.reg.value)).selector, operand_bytes(insn));
}

MaybeFault pop_segment(VCpu& vcpu, LinearMemory& memory, const Instruction& insn) {
    const ZydisDecodedOperand& to = insn.operands[0];
    if (!is_segment(to)) {
        return invalid_opcode();
    }
    const std::uint32_t size = operand_bytes(insn);
    std::uint32_t selector = 0;
    if (auto fault = stack_peek(vcpu, memory, 0, selector, size)) {
        return fault;
    }
    // POP SS moves the pointer of the stack it popped from.
    const std::uint32_t popped = stack_pointer(vcpu) + size;
    const ZydisRegister pointer = vcpu.segment(Segment::ss).big() ? ZYDIS_REGISTER_ESP : ZYDIS_REGISTER_SP;
    const Segment segment = to_segment(to.reg.value);
    if (auto fault = load_segment(vcpu, memory, segment, static_cast<std::uint16_t>(selector))) {
        return fault;
    }
    write_gpr(vcpu, pointer, popped);
    cast_shadow(vcpu, segment);
    return {};
}

MaybeFault load_far_pointer(VCpu& vcpu, LinearMemory& memory, const Instruction& insn) {
    std::uint16_t selector = 0;
    std::uint32_t offset = 0;
    if (auto fault = read_far_pointer(vcpu, memory, insn, insn.operands[1], selector, offset)) {
        return fault;
    }
    if (auto fault = load_segment(vcpu, memory, pointer_segment(insn.mnemonic()), selector)) {
        return fault;
    }
    write_gpr(vcpu, insn.operands[0].reg.value, offset);
    return {};
}

MaybeFault read_far_pointer(const VCpu& vcpu, LinearMemory& memory, const Instruction& insn,
                            const ZydisDecodedOperand& operand, std::uint16_t& selector, std::uint32_t& offset) {
    const std::uint32_t size = operand_bytes(insn);
    std::array<std::byte, kMaxPointerBytes> image{};
    const auto to = std::span(image).first(size + sizeof selector);
    if (auto fault = read_memory(vcpu, memory, to_segment(operand.mem.segment), effective_offset(vcpu, insn, operand), to)) {
        return fault;
    }
    offset = 0;
    std::memcpy(&offset, &image[0], size);
    std::memcpy(&selector, &image[size], sizeof selector);
    return {};
}

} // namespace ringone::vmm
