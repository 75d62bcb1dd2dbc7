// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "vmm/monitor/system/fast_call.hpp"

#include "vmm/monitor/system/descriptor.hpp"

#include <cstdint>

namespace ringone::vmm {
namespace {

constexpr std::uint16_t kFlatCode = 0xC09B; ///< 4 GiB, 32-bit, present, code, readable, accessed
constexpr std::uint16_t kFlatData = 0xC093; ///< the same, data, writable
constexpr unsigned kDplShift = 5;
constexpr std::uint32_t kEnterStack = 8; ///< selectors, relative to IA32_SYSENTER_CS
constexpr std::uint32_t kExitCode = 16;
constexpr std::uint32_t kExitStack = 24;

SegmentCache flat(std::uint32_t selector, std::uint16_t attributes, unsigned level) {
    return {static_cast<std::uint16_t>((selector & ~std::uint32_t{kSelectorRplMask}) | level),
            static_cast<std::uint16_t>(attributes | (level << kDplShift)), 0, 0xFFFF'FFFF, true};
}

bool unusable(const VCpu& vcpu) {
    return !vcpu.protected_mode() || is_null(static_cast<std::uint16_t>(vcpu.sysenter_cs));
}

} // namespace

MaybeFault system_enter(VCpu& vcpu) {
    if (unusable(vcpu)) {
        return GuestFault::with_code(vector::kGeneralProtection, 0);
    }
    vcpu.eflags &= ~(eflags::kVirtual8086 | eflags::kInterrupt | eflags::kResume);
    vcpu.segment(Segment::cs) = flat(vcpu.sysenter_cs, kFlatCode, 0);
    vcpu.segment(Segment::ss) = flat(vcpu.sysenter_cs + kEnterStack, kFlatData, 0);
    vcpu.gpr[kEsp] = vcpu.sysenter_esp;
    vcpu.eip = vcpu.sysenter_eip;
    vcpu.cpl = 0;
    return {};
}

MaybeFault system_exit(VCpu& vcpu) {
    constexpr unsigned kUser = 3;
    if (unusable(vcpu) || vcpu.cpl != 0) {
        return GuestFault::with_code(vector::kGeneralProtection, 0);
    }
    vcpu.segment(Segment::cs) = flat(vcpu.sysenter_cs + kExitCode, kFlatCode, kUser);
    vcpu.segment(Segment::ss) = flat(vcpu.sysenter_cs + kExitStack, kFlatData, kUser);
    vcpu.gpr[kEsp] = vcpu.gpr[kEcx];
    vcpu.eip = vcpu.gpr[kEdx];
    vcpu.cpl = kUser;
    return {};
}

} // namespace ringone::vmm
