// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "vmm/monitor/system/flags.hpp"

#include "vmm/monitor/operands.hpp"

namespace ringone::vmm {
namespace {

/// What any program may change.
constexpr std::uint32_t kAlways = eflags::kHardware | eflags::kTrap | eflags::kNestedTask;
constexpr std::uint32_t kAlwaysWide = eflags::kAlignmentCheck | eflags::kId;
/// Bits that exist, without the VM flag.
constexpr std::uint32_t kExisting = kAlways | kAlwaysWide | eflags::kInterrupt | eflags::kIopl | eflags::kResume |
                                    eflags::kVif | eflags::kVip;

MaybeFault check_iopl(const VCpu& vcpu) {
    // CPL is 3 in virtual-8086 mode and 0 in real-address mode, so one comparison covers all three modes.
    return vcpu.cpl > vcpu.iopl() ? MaybeFault(GuestFault::with_code(vector::kGeneralProtection, 0)) : MaybeFault{};
}

std::uint32_t privileged_bits(const VCpu& vcpu) {
    const std::uint32_t interrupt = vcpu.cpl <= vcpu.iopl() ? eflags::kInterrupt : 0;
    return interrupt | (vcpu.cpl == 0 ? eflags::kIopl : 0);
}

std::uint32_t merge(std::uint32_t old, std::uint32_t popped, std::uint32_t changeable) {
    return (old & ~changeable) | (popped & changeable) | eflags::kFixed;
}

bool outside_iopl_in_v86(const VCpu& vcpu) { return vcpu.virtual_8086() && vcpu.iopl() < 3; }

} // namespace

MaybeFault clear_interrupt_flag(VCpu& vcpu) {
    if (auto fault = check_iopl(vcpu)) {
        return fault;
    }
    vcpu.eflags &= ~eflags::kInterrupt;
    return {};
}

MaybeFault set_interrupt_flag(VCpu& vcpu) {
    if (auto fault = check_iopl(vcpu)) {
        return fault;
    }
    if ((vcpu.eflags & eflags::kInterrupt) == 0) {
        vcpu.eflags |= eflags::kInterrupt;
        vcpu.shadow = InterruptShadow::sti;
    }
    return {};
}

MaybeFault push_flags(VCpu& vcpu, LinearMemory& memory, std::uint32_t size) {
    if (outside_iopl_in_v86(vcpu)) {
        return GuestFault::with_code(vector::kGeneralProtection, 0);
    }
    return stack_push(vcpu, memory, vcpu.eflags & ~(eflags::kResume | eflags::kVirtual8086), size);
}

MaybeFault pop_flags(VCpu& vcpu, LinearMemory& memory, std::uint32_t size) {
    if (outside_iopl_in_v86(vcpu)) {
        return GuestFault::with_code(vector::kGeneralProtection, 0);
    }
    const std::uint32_t changeable = kAlways | (size == 4 ? kAlwaysWide : 0) | privileged_bits(vcpu);
    std::uint32_t popped = 0;
    if (auto fault = stack_pop(vcpu, memory, popped, size)) {
        return fault;
    }
    vcpu.eflags = merge(vcpu.eflags, popped, changeable) & ~eflags::kResume;
    return {};
}

std::uint32_t flags_after_iret(const VCpu& vcpu, std::uint32_t popped, std::uint32_t size) {
    std::uint32_t changeable = kAlways | privileged_bits(vcpu) | (size == 4 ? kAlwaysWide | eflags::kResume : 0);
    const bool level_zero_protected = vcpu.protected_mode() && !vcpu.virtual_8086() && vcpu.cpl == 0;
    if (size == 4 && level_zero_protected) {
        changeable |= eflags::kVif | eflags::kVip;
    }
    return merge(vcpu.eflags, popped, changeable);
}

std::uint32_t flags_for_v86(std::uint32_t popped) {
    return (popped & kExisting) | eflags::kVirtual8086 | eflags::kFixed;
}

} // namespace ringone::vmm
