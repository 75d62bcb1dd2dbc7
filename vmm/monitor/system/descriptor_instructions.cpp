// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "vmm/monitor/system/descriptor_instructions.hpp"

#include "vmm/monitor/operands.hpp"
#include "vmm/monitor/system/segmentation.hpp"

#include <array>
#include <cstring>

namespace ringone::vmm {
namespace {

using translator::Instruction;

constexpr std::uint32_t kTableBytes = 6;       ///< limit and base
constexpr std::uint32_t kBase24 = 0x00FF'FFFF; ///< what the 16-bit forms carry
constexpr std::uint32_t kLarMask = 0x00FF'FF00;

GuestFault general_protection(std::uint32_t code) { return GuestFault::with_code(vector::kGeneralProtection, code); }

/// Reads the GDT descriptor that LLDT and LTR name and checks type and presence.
MaybeFault read_system_descriptor(const VCpu& vcpu, LinearMemory& memory, std::uint16_t selector, bool tss,
                                  Descriptor& descriptor) {
    if ((selector & kSelectorLocal) != 0) {
        return general_protection(selector_error(selector));
    }
    if (auto fault = read_descriptor(vcpu, memory, selector, descriptor)) {
        return fault;
    }
    const bool right = tss ? descriptor.system(system_type::kTss16Available) || descriptor.system(system_type::kTss32Available)
                           : descriptor.system(system_type::kLdt);
    if (!right) {
        return general_protection(selector_error(selector));
    }
    if (!descriptor.present()) {
        return GuestFault::with_code(vector::kSegmentNotPresent, selector_error(selector));
    }
    return {};
}

void set_zero_flag(VCpu& vcpu, bool on) {
    vcpu.eflags = on ? vcpu.eflags | eflags::kZero : vcpu.eflags & ~eflags::kZero;
}

bool visible_at(const VCpu& vcpu, std::uint16_t selector, const Descriptor& descriptor) {
    return descriptor.conforming() || (vcpu.cpl <= descriptor.dpl() && rpl(selector) <= descriptor.dpl());
}

/// The system types LAR accepts; LSL accepts those of them that have a limit (SDM Vol. 2 LAR table 3-53, LSL table 3-56).
bool query_accepts(const Descriptor& descriptor, bool limit) {
    switch (descriptor.type()) {
    case system_type::kTss16Available:
    case system_type::kLdt:
    case system_type::kTss16Busy:
    case system_type::kTss32Available:
    case system_type::kTss32Busy: return true;
    case system_type::kCallGate16:
    case system_type::kTaskGate:
    case system_type::kCallGate32: return !limit;
    default: return false;
    }
}

bool query_passes(const VCpu& vcpu, ZydisMnemonic mnemonic, std::uint16_t selector, const Descriptor& descriptor) {
    if (!visible_at(vcpu, selector, descriptor)) {
        return false;
    }
    switch (mnemonic) {
    case ZYDIS_MNEMONIC_VERR: return descriptor.readable();
    case ZYDIS_MNEMONIC_VERW: return descriptor.writable();
    default: return descriptor.code_or_data() || query_accepts(descriptor, mnemonic == ZYDIS_MNEMONIC_LSL);
    }
}

MaybeFault adjust_rpl(VCpu& vcpu, LinearMemory& memory, const Instruction& insn) {
    std::uint32_t destination = 0;
    const std::uint32_t source = read_gpr(vcpu, insn.operands[1].reg.value);
    if (auto fault = read_operand(vcpu, memory, insn, insn.operands[0], destination)) {
        return fault;
    }
    const bool raised = (destination & kSelectorRplMask) < (source & kSelectorRplMask);
    if (raised) {
        const std::uint32_t adjusted = (destination & ~std::uint32_t{kSelectorRplMask}) | (source & kSelectorRplMask);
        if (auto fault = write_operand(vcpu, memory, insn, insn.operands[0], adjusted)) {
            return fault;
        }
    }
    set_zero_flag(vcpu, raised);
    return {};
}

bool protected_code(const VCpu& vcpu) { return vcpu.protected_mode() && !vcpu.virtual_8086(); }

} // namespace

MaybeFault load_ldtr(VCpu& vcpu, LinearMemory& memory, std::uint16_t selector) {
    if (is_null(selector)) {
        vcpu.ldtr = {selector, 0, 0, 0, false};
        return {};
    }
    Descriptor descriptor;
    if (auto fault = read_system_descriptor(vcpu, memory, selector, false, descriptor)) {
        return fault;
    }
    vcpu.ldtr = descriptor.cache(selector);
    return {};
}

MaybeFault load_task_register(VCpu& vcpu, LinearMemory& memory, std::uint16_t selector) {
    if (is_null(selector)) {
        return general_protection(0);
    }
    Descriptor descriptor;
    if (auto fault = read_system_descriptor(vcpu, memory, selector, true, descriptor)) {
        return fault;
    }
    descriptor.high |= system_type::kBusyBit << 8U;
    const auto access = static_cast<std::uint8_t>(descriptor.high >> 8U);
    const std::uint32_t address = vcpu.gdtr.base + selector_error(selector) + kAccessByte;
    if (auto fault = memory.store(address, access, AccessPrivilege::supervisor)) {
        return fault;
    }
    vcpu.tr = descriptor.cache(selector);
    return {};
}

MaybeFault execute_selector_query(VCpu& vcpu, LinearMemory& memory, const Instruction& insn) {
    if (!protected_code(vcpu)) {
        return GuestFault::plain(vector::kInvalidOpcode);
    }
    if (insn.mnemonic() == ZYDIS_MNEMONIC_ARPL) {
        return adjust_rpl(vcpu, memory, insn);
    }
    const bool stores = insn.mnemonic() == ZYDIS_MNEMONIC_LAR || insn.mnemonic() == ZYDIS_MNEMONIC_LSL;
    std::uint32_t value = 0;
    if (auto fault = read_operand(vcpu, memory, insn, insn.operands[stores ? 1 : 0], value)) {
        return fault;
    }
    const auto selector = static_cast<std::uint16_t>(value);
    Descriptor descriptor;
    bool passes = false;
    if (descriptor_address(vcpu, selector)) {
        if (auto fault = read_descriptor(vcpu, memory, selector, descriptor)) {
            return fault;
        }
        passes = query_passes(vcpu, insn.mnemonic(), selector, descriptor);
    }
    set_zero_flag(vcpu, passes);
    if (passes && stores) {
        const std::uint32_t result = insn.mnemonic() == ZYDIS_MNEMONIC_LAR ? descriptor.high & kLarMask : descriptor.limit();
        write_gpr(vcpu, insn.operands[0].reg.value, result);
    }
    return {};
}

MaybeFault execute_store_selector(VCpu& vcpu, LinearMemory& memory, const Instruction& insn) {
    if (!protected_code(vcpu)) {
        return GuestFault::plain(vector::kInvalidOpcode);
    }
    const std::uint16_t selector = insn.mnemonic() == ZYDIS_MNEMONIC_STR ? vcpu.tr.selector : vcpu.ldtr.selector;
    return write_operand(vcpu, memory, insn, insn.operands[0], selector);
}

MaybeFault execute_table_register(VCpu& vcpu, LinearMemory& memory, const Instruction& insn) {
    const ZydisMnemonic mnemonic = insn.mnemonic();
    const bool global = mnemonic == ZYDIS_MNEMONIC_LGDT || mnemonic == ZYDIS_MNEMONIC_SGDT;
    const bool loads = mnemonic == ZYDIS_MNEMONIC_LGDT || mnemonic == ZYDIS_MNEMONIC_LIDT;
    const std::uint32_t base_mask = insn.info.operand_width == 16 ? kBase24 : 0xFFFF'FFFFU;
    TableRegister& table = global ? vcpu.gdtr : vcpu.idtr;
    const ZydisDecodedOperand& operand = insn.operands[0];
    const Segment segment = to_segment(operand.mem.segment);
    const std::uint32_t offset = effective_offset(vcpu, insn, operand);
    std::array<std::byte, kTableBytes> image{};
    if (!loads) {
        const std::uint32_t base = table.base & base_mask;
        std::memcpy(&image[0], &table.limit, sizeof table.limit);
        std::memcpy(&image[sizeof table.limit], &base, sizeof base);
        return write_memory(vcpu, memory, segment, offset, image);
    }
    if (auto fault = read_memory(vcpu, memory, segment, offset, image)) {
        return fault;
    }
    std::memcpy(&table.limit, &image[0], sizeof table.limit);
    std::memcpy(&table.base, &image[sizeof table.limit], sizeof table.base);
    table.base &= base_mask;
    return {};
}

} // namespace ringone::vmm
