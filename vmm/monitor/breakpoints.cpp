// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "vmm/monitor/breakpoints.hpp"

#include "vmm/monitor/operands.hpp"

namespace ringone::vmm {
namespace {

constexpr unsigned kBreakpoints = 4;
constexpr unsigned kControlShift = 16; ///< DR7: R/Wn and LENn, four bits a breakpoint

enum BreakpointKind : std::uint32_t { kExecute = 0, kWrite = 1, kPort = 2, kReadWrite = 3 };

/// Bytes of LENn; they begin at an address that is a multiple of their number.
constexpr std::uint32_t kLengths[] = {1, 2, 8, 4};

struct Range {
    std::uint32_t first, bytes;

    [[nodiscard]] bool meets(Range other) const {
        return other.first - first < bytes || first - other.first < other.bytes;
    }
};

std::uint32_t matches(const VCpu& vcpu, Range range, bool port, bool write) {
    std::uint32_t hit = 0;
    for (unsigned i = 0; i < kBreakpoints; ++i) {
        if (((vcpu.dr[7] >> (2 * i)) & 3U) == 0) continue;
        const std::uint32_t control = vcpu.dr[7] >> (kControlShift + 4 * i);
        const std::uint32_t kind = control & 3U;
        const bool wanted = port ? kind == kPort : kind == kReadWrite || (kind == kWrite && write);
        const std::uint32_t bytes = kLengths[control >> 2U & 3U];
        if (wanted && range.meets({vcpu.dr[i] & ~(bytes - 1), bytes})) hit |= 1U << i;
    }
    return hit;
}

bool is_stack_pointer(ZydisRegister reg) { return reg == ZYDIS_REGISTER_ESP || reg == ZYDIS_REGISTER_SP; }

/// A REP whose count is zero accesses nothing.
bool repeats_not_at_all(const VCpu& vcpu, const translator::Instruction& instruction) {
    const bool rep = instruction.has(ZYDIS_ATTRIB_HAS_REP) || instruction.has(ZYDIS_ATTRIB_HAS_REPE) ||
                     instruction.has(ZYDIS_ATTRIB_HAS_REPNE);
    const std::uint32_t mask = instruction.info.address_width == 16 ? 0xFFFFU : 0xFFFFFFFFU;
    return rep && (vcpu.gpr[kEcx] & mask) == 0;
}

std::uint32_t memory_breakpoints(const VCpu& vcpu, const translator::Instruction& instruction,
                                 const ZydisDecodedOperand& operand) {
    const std::uint32_t bytes = operand.size / 8U;
    if (operand.mem.type != ZYDIS_MEMOP_TYPE_MEM || bytes == 0) return 0;
    const bool write = (operand.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;
    const bool pushes = write && operand.visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN &&
                        is_stack_pointer(operand.mem.base);
    const std::uint32_t offset = pushes ? stack_pointer(vcpu) - bytes : effective_offset(vcpu, instruction, operand);
    const std::uint32_t linear = vcpu.segment(to_segment(operand.mem.segment)).base + offset;
    return matches(vcpu, {linear, bytes}, false, write);
}

std::uint32_t port_breakpoints(const VCpu& vcpu, const translator::Instruction& instruction) {
    const ZydisInstructionCategory category = instruction.info.meta.category;
    const bool io = category == ZYDIS_CATEGORY_IO || category == ZYDIS_CATEGORY_IOSTRINGOP;
    if (!io || (vcpu.cr4 & cr4::kDe) == 0) return 0;
    std::uint32_t port = vcpu.gpr[kEdx] & 0xFFFFU;
    for (const ZydisDecodedOperand& operand : instruction.visible())
        if (operand.type == ZYDIS_OPERAND_TYPE_IMMEDIATE) port = static_cast<std::uint32_t>(operand.imm.value.u & 0xFFU);
    std::uint32_t bytes = instruction.info.operand_width / 8U;
    if (bytes == 0) bytes = 1;
    return matches(vcpu, {port, bytes}, true, false);
}

} // namespace

std::uint32_t data_breakpoints(const VCpu& vcpu, const translator::Instruction& instruction) {
    if (repeats_not_at_all(vcpu, instruction)) return 0;
    std::uint32_t hit = port_breakpoints(vcpu, instruction);
    for (std::uint32_t i = 0; i < instruction.info.operand_count; ++i) {
        const ZydisDecodedOperand& operand = instruction.operands[i];
        if (operand.type == ZYDIS_OPERAND_TYPE_MEMORY) hit |= memory_breakpoints(vcpu, instruction, operand);
    }
    return hit;
}

} // namespace ringone::vmm
