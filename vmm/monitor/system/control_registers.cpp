// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "vmm/monitor/system/control_registers.hpp"

#include "vmm/monitor/system/debug.hpp"

namespace ringone::vmm {
namespace {

constexpr std::uint32_t kCr0Existing = cr0::kPe | cr0::kMp | cr0::kEm | cr0::kTs | cr0::kEt | cr0::kNe | cr0::kWp |
                                       cr0::kAm | cr0::kNw | cr0::kCd | cr0::kPg;
constexpr std::uint32_t kCr0Paging = cr0::kPg | cr0::kWp;
constexpr std::uint32_t kCr0Pdptes = cr0::kPg | cr0::kCd | cr0::kNw; ///< a change of these reloads the PDPTEs
constexpr std::uint32_t kMachineStatus = cr0::kPe | cr0::kMp | cr0::kEm | cr0::kTs;
/// What CPUID announces; anything else is reserved.
constexpr std::uint32_t kCr4Existing = cr4::kTsd | cr4::kDe | cr4::kPse | cr4::kPae | cr4::kPge | cr4::kPce |
                                       cr4::kOsfxsr | cr4::kOsxmmexcpt;
constexpr std::uint32_t kCr4Paging = cr4::kPse | cr4::kPae | cr4::kPge;

GuestFault general_protection() { return GuestFault::with_code(vector::kGeneralProtection, 0); }

bool pae_paging(const VCpu& vcpu) { return vcpu.paging() && (vcpu.cr4 & cr4::kPae) != 0; }

MaybeFault commit(VCpu& vcpu, SystemHooks& hooks, const VCpu& next, PagingChange change) {
    if (!hooks.on_paging_change(vcpu, next, change)) {
        return general_protection();
    }
    vcpu = next;
    return {};
}

MaybeFault write_cr0(VCpu& vcpu, SystemHooks& hooks, std::uint32_t value) {
    const bool paging_without_protection = (value & cr0::kPg) != 0 && (value & cr0::kPe) == 0;
    const bool no_write_through_alone = (value & cr0::kNw) != 0 && (value & cr0::kCd) == 0;
    if (paging_without_protection || no_write_through_alone) {
        return general_protection();
    }
    VCpu next = vcpu;
    next.cr0 = (value & kCr0Existing) | cr0::kEt;
    const std::uint32_t changed = next.cr0 ^ vcpu.cr0;
    const PagingChange change{.flush_global = (changed & kCr0Paging) != 0,
                              .load_pdptes = pae_paging(next) && (changed & kCr0Pdptes) != 0};
    if (!change.flush_global && !change.load_pdptes) {
        vcpu.cr0 = next.cr0;
        return {};
    }
    return commit(vcpu, hooks, next, change);
}

MaybeFault write_cr3(VCpu& vcpu, SystemHooks& hooks, std::uint32_t value) {
    VCpu next = vcpu;
    next.cr3 = value;
    return commit(vcpu, hooks, next, {.flush_global = false, .load_pdptes = pae_paging(next)});
}

MaybeFault write_cr4(VCpu& vcpu, SystemHooks& hooks, std::uint32_t value) {
    if ((value & ~kCr4Existing) != 0) {
        return general_protection();
    }
    VCpu next = vcpu;
    next.cr4 = value;
    if (((value ^ vcpu.cr4) & kCr4Paging) == 0) {
        vcpu.cr4 = value;
        return {};
    }
    return commit(vcpu, hooks, next, {.flush_global = true, .load_pdptes = pae_paging(next)});
}

/// The register a number stands for, or the fault.
MaybeFault select_debug_register(VCpu& vcpu, unsigned index, unsigned& selected) {
    constexpr unsigned kFirstAlias = 4;
    constexpr unsigned kAliasDistance = 2;
    const bool alias = index == kFirstAlias || index == kFirstAlias + 1;
    if (index >= vcpu.dr.size() || (alias && (vcpu.cr4 & cr4::kDe) != 0)) {
        return GuestFault::plain(vector::kInvalidOpcode);
    }
    if ((vcpu.dr[7] & dr7::kGeneralDetect) != 0) {
        vcpu.dr[6] |= dr6::kGeneralDetect;
        return GuestFault::plain(vector::kDebug);
    }
    selected = alias ? index + kAliasDistance : index;
    return {};
}

} // namespace

MaybeFault read_control_register(const VCpu& vcpu, unsigned index, std::uint32_t& value) {
    switch (index) {
    case 0: value = vcpu.cr0; return {};
    case 2: value = vcpu.cr2; return {};
    case 3: value = vcpu.cr3; return {};
    case 4: value = vcpu.cr4; return {};
    default: return GuestFault::plain(vector::kInvalidOpcode);
    }
}

MaybeFault write_control_register(VCpu& vcpu, SystemHooks& hooks, unsigned index, std::uint32_t value) {
    switch (index) {
    case 0: return write_cr0(vcpu, hooks, value);
    case 2: vcpu.cr2 = value; return {};
    case 3: return write_cr3(vcpu, hooks, value);
    case 4: return write_cr4(vcpu, hooks, value);
    default: return GuestFault::plain(vector::kInvalidOpcode);
    }
}

MaybeFault load_machine_status(VCpu& vcpu, SystemHooks& hooks, std::uint16_t value) {
    const std::uint32_t kept = vcpu.cr0 & (~kMachineStatus | cr0::kPe);
    return write_cr0(vcpu, hooks, kept | (value & kMachineStatus));
}

MaybeFault read_debug_register(VCpu& vcpu, unsigned index, std::uint32_t& value) {
    unsigned selected = 0;
    if (auto fault = select_debug_register(vcpu, index, selected)) {
        return fault;
    }
    value = vcpu.dr[selected];
    return {};
}

MaybeFault write_debug_register(VCpu& vcpu, unsigned index, std::uint32_t value) {
    unsigned selected = 0;
    if (auto fault = select_debug_register(vcpu, index, selected)) {
        return fault;
    }
    switch (selected) {
    case 6: vcpu.dr[6] = (value & dr6::kWritable) | dr6::kFixed; break;
    case 7: vcpu.dr[7] = (value & dr7::kWritable) | dr7::kFixed; break;
    default: vcpu.dr[selected] = value; break;
    }
    return {};
}

} // namespace ringone::vmm
