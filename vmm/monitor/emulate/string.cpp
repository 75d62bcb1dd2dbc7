// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "vmm/monitor/emulate/parts.hpp"

namespace ringone::vmm::emulation {
namespace {

/// Elements before interrupts get their chance.
constexpr std::uint32_t kElementsAtOnce = 1024;

enum class Kind : std::uint8_t { movs, stos, lods, cmps, scas };

struct Form {
    Kind kind;
    std::uint32_t bytes;
};

Form form_of(ZydisMnemonic mnemonic) {
    switch (mnemonic) {
    case ZYDIS_MNEMONIC_MOVSB: return {Kind::movs, 1};
    case ZYDIS_MNEMONIC_MOVSW: return {Kind::movs, 2};
    case ZYDIS_MNEMONIC_MOVSD: return {Kind::movs, 4};
    case ZYDIS_MNEMONIC_STOSB: return {Kind::stos, 1};
    case ZYDIS_MNEMONIC_STOSW: return {Kind::stos, 2};
    case ZYDIS_MNEMONIC_STOSD: return {Kind::stos, 4};
    case ZYDIS_MNEMONIC_LODSB: return {Kind::lods, 1};
    case ZYDIS_MNEMONIC_LODSW: return {Kind::lods, 2};
    case ZYDIS_MNEMONIC_LODSD: return {Kind::lods, 4};
    case ZYDIS_MNEMONIC_CMPSB: return {Kind::cmps, 1};
    case ZYDIS_MNEMONIC_CMPSW: return {Kind::cmps, 2};
    case ZYDIS_MNEMONIC_CMPSD: return {Kind::cmps, 4};
    case ZYDIS_MNEMONIC_SCASB: return {Kind::scas, 1};
    case ZYDIS_MNEMONIC_SCASW: return {Kind::scas, 2};
    default: return {Kind::scas, 4};
    }
}

/// The flags of `left - right` (SDM Vol. 2, CMP).
std::uint32_t compare_flags(std::uint32_t left, std::uint32_t right, std::uint32_t bytes) {
    const std::uint32_t mask = size_mask(bytes);
    const std::uint32_t sign = 1U << (bytes * 8 - 1);
    const std::uint32_t result = (left - right) & mask;
    std::uint32_t flags = 0;
    if (left < right) flags |= eflags::kCarry;
    if (result == 0) flags |= eflags::kZero;
    if ((result & sign) != 0) flags |= eflags::kSign;
    if (((left ^ right) & (left ^ result) & sign) != 0) flags |= eflags::kOverflow;
    if (((left ^ right ^ result) & 0x10U) != 0) flags |= eflags::kAdjust;
    if (__builtin_parity(result & 0xFFU) == 0) flags |= eflags::kParity;
    return flags;
}

struct Loop {
    const Machine& m;
    Form form;
    Segment source;
    std::uint32_t address_mask;
    std::uint32_t step;

    [[nodiscard]] std::uint32_t index(Gpr reg) const { return m.vcpu.gpr[reg] & address_mask; }
    void advance(Gpr reg) const {
        m.vcpu.gpr[reg] = (m.vcpu.gpr[reg] & ~address_mask) | ((m.vcpu.gpr[reg] + step) & address_mask);
    }
    /// Limits, rights and alignment of both operands come before paging of either, in the order that CPUs were seen to
    /// keep: the destination of MOVS last, but CMPS begins at ES:EDI.
    [[nodiscard]] MaybeFault check_source() const {
        std::uint32_t linear = 0;
        return check_access(m.vcpu, source, index(kEsi), form.bytes, AccessType::read, linear);
    }
    [[nodiscard]] MaybeFault check_destination(AccessType type) const {
        std::uint32_t linear = 0;
        return check_access(m.vcpu, Segment::es, index(kEdi), form.bytes, type, linear);
    }
    [[nodiscard]] MaybeFault load(Segment segment, Gpr reg, std::uint32_t& value) const {
        value = 0;
        const auto image = std::as_writable_bytes(std::span(&value, 1)).first(form.bytes);
        return read_memory(m.vcpu, m.memory, segment, index(reg), image);
    }
    [[nodiscard]] MaybeFault store(std::uint32_t value) const {
        const auto image = std::as_bytes(std::span(&value, 1)).first(form.bytes);
        return write_memory(m.vcpu, m.memory, Segment::es, index(kEdi), image);
    }
    void set_flags(std::uint32_t flags) const { m.vcpu.eflags = (m.vcpu.eflags & ~eflags::kStatus) | flags; }

    /// One element; on a fault no register has moved.
    [[nodiscard]] MaybeFault element() const {
        std::uint32_t left = 0;
        std::uint32_t right = 0;
        const std::uint32_t accumulator = m.vcpu.gpr[kEax] & size_mask(form.bytes);
        switch (form.kind) {
        case Kind::movs:
            if (const MaybeFault fault = check_source()) return fault;
            if (const MaybeFault fault = check_destination(AccessType::write)) return fault;
            if (const MaybeFault fault = load(source, kEsi, left)) return fault;
            if (const MaybeFault fault = store(left)) return fault;
            advance(kEsi);
            advance(kEdi);
            return {};
        case Kind::stos:
            if (const MaybeFault fault = store(accumulator)) return fault;
            advance(kEdi);
            return {};
        case Kind::lods:
            if (const MaybeFault fault = load(source, kEsi, left)) return fault;
            m.vcpu.gpr[kEax] = (m.vcpu.gpr[kEax] & ~size_mask(form.bytes)) | left;
            advance(kEsi);
            return {};
        case Kind::cmps:
            if (const MaybeFault fault = check_destination(AccessType::read)) return fault;
            if (const MaybeFault fault = check_source()) return fault;
            if (const MaybeFault fault = load(source, kEsi, left)) return fault;
            if (const MaybeFault fault = load(Segment::es, kEdi, right)) return fault;
            advance(kEsi);
            advance(kEdi);
            set_flags(compare_flags(left, right, form.bytes));
            return {};
        case Kind::scas:
            if (const MaybeFault fault = load(Segment::es, kEdi, right)) return fault;
            advance(kEdi);
            set_flags(compare_flags(accumulator, right, form.bytes));
            return {};
        }
        return {};
    }
};

} // namespace

EmulationOutcome string(const Machine& m) {
    const ZydisRegister override = m.insn.segment_override();
    const Form form = form_of(m.insn.mnemonic());
    const bool down = (m.vcpu.eflags & eflags::kDirection) != 0;
    const Loop loop{m, form, override == ZYDIS_REGISTER_NONE ? Segment::ds : to_segment(override),
                    size_mask(m.insn.info.address_width / 8U), down ? 0U - form.bytes : form.bytes};
    const bool rep_equal = m.insn.has(ZYDIS_ATTRIB_HAS_REPE) || m.insn.has(ZYDIS_ATTRIB_HAS_REP);
    const bool rep_not_equal = m.insn.has(ZYDIS_ATTRIB_HAS_REPNE);
    if (!rep_equal && !rep_not_equal) {
        const EmulationOutcome outcome = EmulationOutcome::of(loop.element());
        if (outcome.kind == EmulationOutcome::Kind::done) m.finish();
        return outcome;
    }
    // TF and data breakpoints trap after each element (SDM Vol. 3 section 17.3.1.4).
    const bool single_step = (m.vcpu.eflags & eflags::kTrap) != 0;
    const bool compares = form.kind == Kind::cmps || form.kind == Kind::scas;
    // A fault at an element leaves the flags as they were before the instruction (SDM Vol. 2, REP).
    const std::uint32_t flags_before = m.vcpu.eflags & eflags::kStatus;
    for (std::uint32_t n = 0; loop.index(kEcx) != 0; ++n) {
        const bool traps = n != 0 && (single_step || m.memory.stop_repeating());
        if (traps || n == kElementsAtOnce) {
            if (!traps) loop.set_flags(flags_before);
            return {EmulationOutcome::Kind::partial, {}, ""};
        }
        if (const MaybeFault fault = loop.element()) {
            loop.set_flags(flags_before);
            return EmulationOutcome::of(fault);
        }
        const std::uint32_t left = loop.index(kEcx) - 1;
        m.vcpu.gpr[kEcx] = (m.vcpu.gpr[kEcx] & ~loop.address_mask) | (left & loop.address_mask);
        const bool equal = (m.vcpu.eflags & eflags::kZero) != 0;
        if (compares && equal != rep_equal) break;
    }
    m.finish();
    return {};
}

} // namespace ringone::vmm::emulation
