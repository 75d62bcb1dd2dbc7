// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "vmm/monitor/emulate/parts.hpp"

#include "translator/reencode.hpp"

#include <cstring>

namespace ringone::vmm::emulation {
namespace {

using translator::kMaxReencodedLength;

constexpr std::uint32_t kScratchAlignment = 64;
constexpr std::uint32_t kSseBytes = 16;

const ZydisDecodedOperand* explicit_memory(const translator::Instruction& insn) {
    for (const ZydisDecodedOperand& o : insn.visible())
        if (o.type == ZYDIS_OPERAND_TYPE_MEMORY && o.mem.type == ZYDIS_MEMOP_TYPE_MEM) return &o;
    return nullptr;
}

/// Must the operand lie at a multiple of 16? SDM Vol. 2 section 2.4, exceptions of types 1, 2 and 4.
bool needs_alignment(const translator::Instruction& insn, std::uint32_t bytes) {
    switch (insn.mnemonic()) {
    case ZYDIS_MNEMONIC_MOVUPS:
    case ZYDIS_MNEMONIC_MOVUPD:
    case ZYDIS_MNEMONIC_MOVDQU:
    case ZYDIS_MNEMONIC_LDDQU:
    case ZYDIS_MNEMONIC_PCMPESTRI:
    case ZYDIS_MNEMONIC_PCMPESTRM:
    case ZYDIS_MNEMONIC_PCMPISTRI:
    case ZYDIS_MNEMONIC_PCMPISTRM: return false;
    default: return bytes == kSseBytes;
    }
}

/// Where an x87 image holds its instruction pointer, code and data selectors (SDM Vol. 1 figures 8-9 to 8-12, 10-2).
struct ImageLayout {
    std::uint32_t fip, fcs, fds;
    bool wide;
};

bool image_layout(const translator::Instruction& insn, ImageLayout& layout) {
    switch (insn.mnemonic()) {
    case ZYDIS_MNEMONIC_FXSAVE: layout = {8, 12, 20, true}; return true;
    case ZYDIS_MNEMONIC_FNSTENV:
    case ZYDIS_MNEMONIC_FNSAVE:
        layout = insn.info.operand_width == 16 ? ImageLayout{6, 8, 12, false} : ImageLayout{12, 16, 24, true};
        return true;
    default: return false;
    }
}

/// The hardware stored where a fragment runs; the guest is to see where its own instruction is. Selectors that
/// the CPU still records are shadows: zero, as on CPUs that do not record them (CPUID.7.EBX bit 13).
void fix_image(const Machine& m, std::byte* image) {
    ImageLayout layout{};
    if (!image_layout(m.insn, layout)) return;
    constexpr std::uint16_t kNoSelector = 0;
    std::uint32_t fip = 0;
    std::memcpy(&fip, image + layout.fip, layout.wide ? 4 : 2);
    // The 16-bit image has but half of the address, which cannot be found again.
    fip = layout.wide && fip != 0 ? m.runner.guest_eip_of(fip) : 0;
    std::memcpy(image + layout.fip, &fip, layout.wide ? 4 : 2);
    std::memcpy(image + layout.fcs, &kNoSelector, sizeof kNoSelector);
    std::memcpy(image + layout.fds, &kNoSelector, sizeof kNoSelector);
}

} // namespace

EmulationOutcome substitute(const Machine& m) {
    std::uint8_t code[kMaxReencodedLength];
    const ZydisDecodedOperand* memory = explicit_memory(m.insn);
    if (memory == nullptr) {
        const std::uint32_t length = translator::reencode(m.insn, m.code_size(), translator::SegmentPrefix::keep, code);
        if (const MaybeFault fault = m.runner.run({code, length}, m.vcpu)) return EmulationOutcome::of(fault);
        m.finish();
        return {};
    }
    const std::uint32_t bytes = memory->size / 8U;
    const std::span<std::byte> scratch = m.runner.scratch();
    if (bytes + kScratchAlignment > scratch.size()) return EmulationOutcome::unsupported("an operand too large to emulate");
    const bool reads = (memory->actions & ZYDIS_OPERAND_ACTION_MASK_READ) != 0;
    const bool writes = (memory->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;
    const Segment segment = to_segment(memory->mem.segment);
    const std::uint32_t offset = effective_offset(m.vcpu, m.insn, *memory);

    // This #GP comes before the limit's #SS and before #PF.
    if (needs_alignment(m.insn, bytes) && (m.vcpu.segment(segment).base + offset) % kSseBytes != 0)
        return EmulationOutcome::of(GuestFault::with_code(vector::kGeneralProtection, 0));
    // The guest's alignment, so that what faults on a misaligned operand does, and what does not does not.
    std::uint32_t linear = 0;
    if (const MaybeFault fault =
            check_segment(m.vcpu, segment, offset, bytes, writes ? AccessType::write : AccessType::read, linear))
        return EmulationOutcome::of(fault);
    const std::uint32_t misalignment = linear % kScratchAlignment;
    std::byte* at = scratch.data() + misalignment;

    if (writes) {
        if (const MaybeFault fault = probe_memory(m.vcpu, m.memory, segment, offset, bytes, AccessType::write))
            return EmulationOutcome::of(fault);
    }
    // An x87 store with an unmasked exception stores nothing and does not fault: what was there stays.
    const bool may_not_store = m.insn.info.meta.category == ZYDIS_CATEGORY_X87_ALU;
    if (reads || may_not_store) {
        if (const MaybeFault fault = read_memory(m.vcpu, m.memory, segment, offset, {at, bytes}))
            return EmulationOutcome::of(fault);
    }
    const std::uint32_t length =
        translator::reencode_absolute(m.insn, m.code_size(), m.runner.scratch_offset() + misalignment, code);
    if (length == 0) return EmulationOutcome::unsupported("a memory operand that cannot be replaced");
    if (const MaybeFault fault = m.runner.run({code, length}, m.vcpu)) return EmulationOutcome::of(fault);
    if (writes) {
        fix_image(m, at);
        if (const MaybeFault fault = write_memory(m.vcpu, m.memory, segment, offset, {at, bytes}))
            return EmulationOutcome::of(fault);
    }
    m.finish();
    return {};
}

} // namespace ringone::vmm::emulation
