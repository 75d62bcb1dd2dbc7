// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "vmm/monitor/system/segmentation.hpp"

#include "vmm/monitor/operands.hpp"
#include "vmm/monitor/system/tss.hpp"

#include <array>

namespace ringone::vmm {
namespace {

constexpr auto kSupervisor = AccessPrivilege::supervisor;
constexpr std::uint32_t kRealLimit = 0xFFFF;
constexpr std::uint16_t kRealAttributes = 0x93; ///< present, DPL 0, data, writable, accessed
constexpr std::uint16_t kV86Attributes = 0xF3;  ///< the same at DPL 3
constexpr std::uint16_t kSizeAttributes = 0xC000;
constexpr std::uint32_t kResetDx = 0x600; ///< family 6; the rest of the signature is CPUID's business
constexpr std::uint16_t kResetCs = 0xF000;
constexpr std::uint32_t kResetCsBase = 0xFFFF'0000;
constexpr std::uint16_t kLdtAttributes = 0x82;
constexpr std::uint16_t kTssBusyAttributes = 0x8B;

MaybeFault check_data_segment(const VCpu& vcpu, std::uint16_t selector, const Descriptor& descriptor) {
    const bool dpl_counts = !descriptor.conforming();
    const bool privileged = dpl_counts && (rpl(selector) > descriptor.dpl() || vcpu.cpl > descriptor.dpl());
    if (!descriptor.readable() || privileged) {
        return GuestFault::with_code(vector::kGeneralProtection, selector_error(selector));
    }
    if (!descriptor.present()) {
        return GuestFault::with_code(vector::kSegmentNotPresent, selector_error(selector));
    }
    return {};
}

} // namespace

std::optional<std::uint32_t> descriptor_address(const VCpu& vcpu, std::uint16_t selector) {
    const std::uint32_t offset = static_cast<std::uint32_t>(selector & ~(kSelectorRplMask | kSelectorLocal));
    if (is_null(selector)) {
        return {};
    }
    if ((selector & kSelectorLocal) == 0) {
        return offset + kDescriptorBytes - 1U <= vcpu.gdtr.limit ? std::optional(vcpu.gdtr.base + offset) : std::nullopt;
    }
    const bool inside = vcpu.ldtr.usable && offset + kDescriptorBytes - 1U <= vcpu.ldtr.limit;
    return inside ? std::optional(vcpu.ldtr.base + offset) : std::nullopt;
}

MaybeFault read_descriptor(const VCpu& vcpu, LinearMemory& memory, std::uint16_t selector, Descriptor& out,
                           std::uint8_t fault_vector) {
    const auto address = descriptor_address(vcpu, selector);
    if (!address) {
        return GuestFault::with_code(fault_vector, selector_error(selector));
    }
    std::array<std::uint32_t, 2> words{};
    if (auto fault = memory.load(*address, words, kSupervisor)) {
        return fault;
    }
    out = {words[0], words[1]};
    return {};
}

MaybeFault mark_accessed(const VCpu& vcpu, LinearMemory& memory, std::uint16_t selector, Descriptor& descriptor) {
    if ((descriptor.type() & kAccessedBit) != 0) {
        return {};
    }
    const auto address = descriptor_address(vcpu, selector);
    descriptor.high |= static_cast<std::uint32_t>(kAccessedBit) << 8U;
    const auto access = static_cast<std::uint8_t>(descriptor.high >> 8U);
    return address ? memory.store(*address + kAccessByte, access, kSupervisor) : MaybeFault{};
}

void load_real_segment(VCpu& vcpu, Segment segment, std::uint16_t selector) {
    SegmentCache& cache = vcpu.segment(segment);
    const std::uint32_t base = static_cast<std::uint32_t>(selector) << 4U;
    if (vcpu.virtual_8086()) {
        cache = {selector, kV86Attributes, base, kRealLimit, true};
        return;
    }
    const std::uint32_t limit = cache.usable ? cache.limit : kRealLimit;
    const auto size = static_cast<std::uint16_t>(cache.usable ? cache.attributes & kSizeAttributes : 0);
    cache = {selector, static_cast<std::uint16_t>(kRealAttributes | size), base, limit, true};
}

void load_null_segment(VCpu& vcpu, Segment segment, std::uint16_t selector) {
    vcpu.segment(segment) = {selector, 0, 0, 0, false};
}

MaybeFault check_stack_segment(const VCpu& vcpu, LinearMemory& memory, std::uint16_t selector, unsigned cpl,
                               std::uint8_t fault_vector, SegmentCache& out) {
    if (is_null(selector)) {
        return GuestFault::with_code(fault_vector, 0);
    }
    Descriptor descriptor;
    if (auto fault = read_descriptor(vcpu, memory, selector, descriptor, fault_vector)) {
        return fault;
    }
    if (rpl(selector) != cpl || descriptor.dpl() != cpl || !descriptor.writable()) {
        return GuestFault::with_code(fault_vector, selector_error(selector));
    }
    if (!descriptor.present()) {
        return GuestFault::with_code(vector::kStackFault, selector_error(selector));
    }
    if (auto fault = mark_accessed(vcpu, memory, selector, descriptor)) {
        return fault;
    }
    out = descriptor.cache(selector);
    return {};
}

MaybeFault load_segment(VCpu& vcpu, LinearMemory& memory, Segment segment, std::uint16_t selector) {
    if (!vcpu.protected_mode() || vcpu.virtual_8086()) {
        load_real_segment(vcpu, segment, selector);
        return {};
    }
    if (segment == Segment::ss) {
        return check_stack_segment(vcpu, memory, selector, vcpu.cpl, vector::kGeneralProtection, vcpu.segment(segment));
    }
    if (is_null(selector)) {
        load_null_segment(vcpu, segment, selector);
        return {};
    }
    Descriptor descriptor;
    if (auto fault = read_descriptor(vcpu, memory, selector, descriptor)) {
        return fault;
    }
    if (auto fault = check_data_segment(vcpu, selector, descriptor)) {
        return fault;
    }
    if (auto fault = mark_accessed(vcpu, memory, selector, descriptor)) {
        return fault;
    }
    vcpu.segment(segment) = descriptor.cache(selector);
    return {};
}

MaybeFault read_inner_stack(const VCpu& vcpu, LinearMemory& memory, unsigned cpl, SegmentCache& ss, std::uint32_t& esp) {
    const bool wide = (vcpu.tr.type() & system_type::kWideBit) != 0;
    const std::uint32_t offset = wide ? tss32::kEsp0 + cpl * tss32::kStackStride : tss16::kSp0 + cpl * tss16::kStackStride;
    const std::uint32_t last = offset + (wide ? 5U : 3U);
    if (!vcpu.tr.usable || last > vcpu.tr.limit) {
        return GuestFault::with_code(vector::kInvalidTss, selector_error(vcpu.tr.selector));
    }
    std::uint16_t selector = 0;
    std::uint32_t pointer = 0;
    if (wide) {
        if (auto fault = memory.load(vcpu.tr.base + offset, pointer, kSupervisor)) {
            return fault;
        }
    } else {
        std::uint16_t narrow = 0;
        if (auto fault = memory.load(vcpu.tr.base + offset, narrow, kSupervisor)) {
            return fault;
        }
        pointer = narrow;
    }
    if (auto fault = memory.load(vcpu.tr.base + offset + (wide ? 4U : 2U), selector, kSupervisor)) {
        return fault;
    }
    if (auto fault = check_stack_segment(vcpu, memory, selector, cpl, vector::kInvalidTss, ss)) {
        return fault;
    }
    esp = pointer;
    return {};
}

void drop_inaccessible_segments(VCpu& vcpu) {
    for (const Segment segment : {Segment::es, Segment::ds, Segment::fs, Segment::gs}) {
        const SegmentCache& cache = vcpu.segment(segment);
        if (cache.usable && !cache.conforming() && cache.dpl() < vcpu.cpl) {
            load_null_segment(vcpu, segment, 0);
        }
    }
}

void reset(VCpu& vcpu) {
    const std::uint64_t tsc_offset = vcpu.tsc_offset;
    vcpu = VCpu{};
    vcpu.tsc_offset = tsc_offset;
    vcpu.gpr[kEdx] = kResetDx;
    for (SegmentCache& cache : vcpu.segments) {
        cache = {0, kRealAttributes, 0, kRealLimit, true};
    }
    vcpu.segment(Segment::cs) = {kResetCs, kRealAttributes, kResetCsBase, kRealLimit, true};
    vcpu.gdtr = {0, kRealLimit};
    vcpu.idtr = {0, kRealLimit};
    vcpu.ldtr = {0, kLdtAttributes, 0, kRealLimit, true};
    vcpu.tr = {0, kTssBusyAttributes, 0, kRealLimit, true};
}

} // namespace ringone::vmm
