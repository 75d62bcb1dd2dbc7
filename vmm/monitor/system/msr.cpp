// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "vmm/monitor/system/msr.hpp"

namespace ringone::vmm {
namespace {

namespace msr {
constexpr std::uint32_t kTsc = 0x10;
constexpr std::uint32_t kPlatformId = 0x17; ///< Linux's microcode driver reads it on any Intel CPU
constexpr std::uint32_t kTscAdjust = 0x3B; ///< SDM Vol. 3 section 17.17.3
constexpr std::uint32_t kSpecCtrl = 0x48;
constexpr std::uint32_t kPredCmd = 0x49;
constexpr std::uint32_t kMicrocodeRevision = 0x8B; ///< IA32_BIOS_SIGN_ID, AMD's patch level
constexpr std::uint32_t kArchCapabilities = 0x10A;
constexpr std::uint32_t kSysenterCs = 0x174;
constexpr std::uint32_t kSysenterEsp = 0x175;
constexpr std::uint32_t kSysenterEip = 0x176;
constexpr std::uint32_t kMiscEnable = 0x1A0;
constexpr std::uint32_t kPat = 0x277;
constexpr std::uint32_t kEfer = 0xC000'0080;
} // namespace msr

constexpr std::uint64_t kSpecCtrlIbrs = 1U << 0;
constexpr std::uint64_t kPredCmdIbpb = 1U << 0;
constexpr std::uint64_t kEferNxe = 1U << 11;
/// Fast strings on; branch trace storage and PEBS not there.
constexpr std::uint64_t kMiscEnableValue = (1U << 0) | (1U << 11) | (1U << 12);

GuestFault general_protection() { return GuestFault::with_code(vector::kGeneralProtection, 0); }

/// Eight memory types of 3 bits; 2 and 3 are reserved (SDM Vol. 3 table 11-10).
bool valid_pat(std::uint64_t value) {
    for (unsigned shift = 0; shift < 64; shift += 8) {
        const std::uint64_t type = (value >> shift) & 0xFFU;
        if (type > 7 || type == 2 || type == 3) {
            return false;
        }
    }
    return true;
}

MaybeFault write_efer(VCpu& vcpu, SystemHooks& hooks, std::uint64_t value) {
    const std::uint64_t existing = hooks.cpuid().has_no_execute() ? kEferNxe : 0;
    if ((value & ~existing) != 0) {
        return general_protection();
    }
    if (value == vcpu.efer) {
        return {};
    }
    VCpu next = vcpu;
    next.efer = value;
    if (!hooks.on_paging_change(vcpu, next, {.flush_global = true, .load_pdptes = false})) {
        return general_protection();
    }
    vcpu = next;
    return {};
}

} // namespace

std::uint64_t guest_tsc(const VCpu& vcpu, SystemHooks& hooks) { return hooks.host_tsc() + vcpu.tsc_offset; }

MaybeFault read_msr(const VCpu& vcpu, SystemHooks& hooks, std::uint32_t index, std::uint64_t& value) {
    switch (index) {
    case msr::kTsc: value = guest_tsc(vcpu, hooks); return {};
    case msr::kTscAdjust: value = vcpu.tsc_offset; return {};
    case msr::kPlatformId:
        if (!hooks.cpuid().intel()) {
            return general_protection();
        }
        value = 0;
        return {};
    case msr::kMicrocodeRevision: value = 0; return {};
    case msr::kSpecCtrl:
    case msr::kArchCapabilities:
        if (hooks.cpuid().arch_capabilities() == 0) {
            return general_protection();
        }
        value = index == msr::kSpecCtrl ? vcpu.spec_ctrl : hooks.cpuid().arch_capabilities();
        return {};
    case msr::kSysenterCs: value = vcpu.sysenter_cs; return {};
    case msr::kSysenterEsp: value = vcpu.sysenter_esp; return {};
    case msr::kSysenterEip: value = vcpu.sysenter_eip; return {};
    case msr::kPat: value = vcpu.pat; return {};
    case msr::kEfer:
        if (!hooks.cpuid().has_no_execute()) {
            return general_protection();
        }
        value = vcpu.efer;
        return {};
    case msr::kMiscEnable:
        if (!hooks.cpuid().intel()) {
            return general_protection();
        }
        value = kMiscEnableValue;
        return {};
    default: return general_protection();
    }
}

MaybeFault write_msr(VCpu& vcpu, SystemHooks& hooks, std::uint32_t index, std::uint64_t value) {
    const auto low = static_cast<std::uint32_t>(value);
    switch (index) {
    case msr::kTsc: vcpu.tsc_offset = value - hooks.host_tsc(); return {};
    case msr::kTscAdjust: vcpu.tsc_offset = value; return {};
    case msr::kMicrocodeRevision: return {}; // written before CPUID refreshes it; there is no update to report
    case msr::kSpecCtrl: // kept, and without effect: what it guards is not how translated code runs
        if (hooks.cpuid().arch_capabilities() == 0 || (value & ~kSpecCtrlIbrs) != 0) {
            return general_protection();
        }
        vcpu.spec_ctrl = value;
        return {};
    case msr::kPredCmd:
        return hooks.cpuid().arch_capabilities() != 0 && (value & ~kPredCmdIbpb) == 0 ? MaybeFault{}
                                                                                       : general_protection();
    case msr::kSysenterCs: vcpu.sysenter_cs = low; return {};
    case msr::kSysenterEsp: vcpu.sysenter_esp = low; return {};
    case msr::kSysenterEip: vcpu.sysenter_eip = low; return {};
    case msr::kPat:
        if (!valid_pat(value)) {
            return general_protection();
        }
        vcpu.pat = value;
        return {};
    case msr::kEfer: return hooks.cpuid().has_no_execute() ? write_efer(vcpu, hooks, value) : general_protection();
    case msr::kMiscEnable: // none of its bits can be changed here
        return hooks.cpuid().intel() && value == kMiscEnableValue ? MaybeFault{} : general_protection();
    default: return general_protection();
    }
}

} // namespace ringone::vmm
