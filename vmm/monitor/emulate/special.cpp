// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
//
// Instructions whose memory operand is implicit or computed from more than ModRM.
#include "vmm/monitor/emulate/parts.hpp"

#include <cstring>

namespace ringone::vmm::emulation {

EmulationOutcome xlat(const Machine& m) {
    const ZydisDecodedOperand& memory = *m.insn.memory_operand();
    const bool wide = m.insn.info.address_width == 32;
    const std::uint32_t table = wide ? m.vcpu.gpr[kEbx] : m.vcpu.gpr[kEbx] & 0xFFFFU;
    std::uint32_t offset = table + (m.vcpu.gpr[kEax] & 0xFFU);
    if (!wide) offset &= 0xFFFFU;
    std::uint8_t value = 0;
    if (const MaybeFault fault = load_memory(m.vcpu, m.memory, to_segment(memory.mem.segment), offset, value))
        return EmulationOutcome::of(fault);
    write_gpr(m.vcpu, ZYDIS_REGISTER_AL, value);
    m.finish();
    return {};
}

EmulationOutcome bit_string(const Machine& m) {
    const ZydisDecodedOperand& memory = m.operand(0);
    const std::uint32_t bytes = memory.size / 8U;
    const std::uint32_t bits = memory.size;
    std::uint32_t index = read_gpr(m.vcpu, m.operand(1).reg.value);
    const auto signed_index = bytes == 2 ? static_cast<std::int32_t>(static_cast<std::int16_t>(index))
                                         : static_cast<std::int32_t>(index);
    const std::int32_t unit = signed_index >> (bytes == 2 ? 4 : 5);
    std::uint32_t offset = effective_offset(m.vcpu, m.insn, memory) + static_cast<std::uint32_t>(unit) * bytes;
    if (m.insn.info.address_width == 16) offset &= 0xFFFFU;
    index &= bits - 1;
    const Segment segment = to_segment(memory.mem.segment);
    const bool writes = m.insn.mnemonic() != ZYDIS_MNEMONIC_BT;
    std::uint32_t value = 0;
    if (writes) {
        if (const MaybeFault fault = probe_memory(m.vcpu, m.memory, segment, offset, bytes, AccessType::write))
            return EmulationOutcome::of(fault);
    }
    const std::span<std::byte> image = std::as_writable_bytes(std::span(&value, 1)).first(bytes);
    if (const MaybeFault fault = read_memory(m.vcpu, m.memory, segment, offset, image)) return EmulationOutcome::of(fault);
    const std::uint32_t bit = 1U << index;
    const bool was_set = (value & bit) != 0;
    if (m.insn.mnemonic() == ZYDIS_MNEMONIC_BTS) value |= bit;
    if (m.insn.mnemonic() == ZYDIS_MNEMONIC_BTR) value &= ~bit;
    if (m.insn.mnemonic() == ZYDIS_MNEMONIC_BTC) value ^= bit;
    if (writes) {
        if (const MaybeFault fault = write_memory(m.vcpu, m.memory, segment, offset, image))
            return EmulationOutcome::of(fault);
    }
    m.vcpu.eflags = (m.vcpu.eflags & ~eflags::kCarry) | (was_set ? eflags::kCarry : 0U);
    m.finish();
    return {};
}

/// A byte load as faults go (SDM Vol. 2, CLFLUSH), and no change that a program could see.
EmulationOutcome flush_line(const Machine& m) {
    const ZydisDecodedOperand& memory = m.operand(0);
    const std::uint32_t offset = effective_offset(m.vcpu, m.insn, memory);
    if (const MaybeFault fault =
            probe_memory(m.vcpu, m.memory, to_segment(memory.mem.segment), offset, 1, AccessType::read))
        return EmulationOutcome::of(fault);
    m.finish();
    return {};
}

EmulationOutcome masked_move(const Machine& m) {
    const bool wide = m.insn.mnemonic() == ZYDIS_MNEMONIC_MASKMOVDQU;
    const std::uint32_t bytes = wide ? 16 : 8;
    const std::uint8_t modrm = m.insn.bytes[m.insn.info.raw.modrm.offset];
    std::byte value[2][16];
    for (std::uint32_t i = 0; i < 2; ++i) {
        // MOVDQU gs:[scratch], xmm or MOVQ gs:[scratch], mm: first the data (reg field), then the mask (r/m field).
        const unsigned reg = i == 0 ? (modrm >> 3U) & 7U : modrm & 7U;
        std::uint8_t code[16];
        std::uint32_t n = 0;
        code[n++] = 0x65;
        if (wide) code[n++] = 0xF3;
        code[n++] = 0x0F;
        code[n++] = 0x7F;
        code[n++] = static_cast<std::uint8_t>(0x05U | reg << 3U);
        const std::uint32_t scratch = m.runner.scratch_offset();
        std::memcpy(code + n, &scratch, sizeof scratch);
        n += sizeof scratch;
        if (const MaybeFault fault = m.runner.run({code, n}, m.vcpu)) return EmulationOutcome::of(fault);
        std::memcpy(value[i], m.runner.scratch().data(), bytes);
    }
    const ZydisDecodedOperand& memory = *m.insn.memory_operand();
    const Segment segment = to_segment(memory.mem.segment);
    const bool wide_address = m.insn.info.address_width == 32;
    const auto offset_of = [&](std::uint32_t i) {
        const std::uint32_t offset = m.vcpu.gpr[kEdi] + i;
        return wide_address ? offset : offset & 0xFFFFU;
    };
    // Limits hold for the whole operand, whatever the mask says; paging only for the bytes that are written.
    std::uint32_t linear = 0;
    if (const MaybeFault fault = check_segment(m.vcpu, segment, offset_of(0), bytes, AccessType::write, linear))
        return EmulationOutcome::of(fault);
    const auto selected = [&](std::uint32_t i) { return (value[1][i] & std::byte{0x80}) != std::byte{0}; };
    for (std::uint32_t i = 0; i < bytes; ++i)
        if (selected(i)) {
            if (const MaybeFault fault = probe_memory(m.vcpu, m.memory, segment, offset_of(i), 1, AccessType::write))
                return EmulationOutcome::of(fault);
        }
    for (std::uint32_t i = 0; i < bytes; ++i)
        if (selected(i)) {
            if (const MaybeFault fault = write_memory(m.vcpu, m.memory, segment, offset_of(i), {&value[0][i], 1}))
                return EmulationOutcome::of(fault);
        }
    m.finish();
    return {};
}

} // namespace ringone::vmm::emulation
