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

} // namespace

bool fast_calls_unusable(const VCpu& vcpu) {
    return !vcpu.protected_mode() || is_null(static_cast<std::uint16_t>(vcpu.sysenter_cs));
}

FastSegments fast_segments(const VCpu& vcpu, unsigned cpl) {
    const std::uint32_t code = vcpu.sysenter_cs + (cpl == 0 ? 0 : kExitCode);
    const std::uint32_t stack = vcpu.sysenter_cs + (cpl == 0 ? kEnterStack : kExitStack);
    return {flat(code, kFlatCode, cpl), flat(stack, kFlatData, cpl)};
}

MaybeFault system_enter(VCpu& vcpu) {
    if (fast_calls_unusable(vcpu)) {
        return GuestFault::with_code(vector::kGeneralProtection, 0);
    }
    vcpu.eflags &= ~(eflags::kVirtual8086 | eflags::kInterrupt | eflags::kResume);
    const FastSegments kernel = fast_segments(vcpu, 0);
    vcpu.segment(Segment::cs) = kernel.cs;
    vcpu.segment(Segment::ss) = kernel.ss;
    vcpu.gpr[kEsp] = vcpu.sysenter_esp;
    vcpu.eip = vcpu.sysenter_eip;
    vcpu.cpl = 0;
    return {};
}

MaybeFault system_exit(VCpu& vcpu) {
    constexpr unsigned kUser = 3;
    if (fast_calls_unusable(vcpu) || vcpu.cpl != 0) {
        return GuestFault::with_code(vector::kGeneralProtection, 0);
    }
    const FastSegments user = fast_segments(vcpu, kUser);
    vcpu.segment(Segment::cs) = user.cs;
    vcpu.segment(Segment::ss) = user.ss;
    vcpu.gpr[kEsp] = vcpu.gpr[kEcx];
    vcpu.eip = vcpu.gpr[kEdx];
    vcpu.cpl = kUser;
    return {};
}

} // namespace ringone::vmm
