// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "vmm/monitor/system/cpuid.hpp"
#include "vmm/monitor/vcpu.hpp"

#include <cstdint>

namespace ringone::vmm {

/// What a change of CR0, CR3, CR4 or EFER asks of the shadow MMU.
struct PagingChange {
    bool flush_global = false; ///< mode or rights changed: every translation is stale; else non-global ones only (CR3 load)
    bool load_pdptes = false;  ///< PAE paging is on in the new state and the four PDPTEs are reloaded (SDM Vol. 3 section 4.4.1)
};

/// What the virtual CPU asks of the world around it.
class SystemHooks {
public:
    /// Called before the new state is in force: `after` is what the registers will hold. False when `load_pdptes` is set and a
    /// present PDPTE has reserved bits set: the instruction is then a #GP(0), and nothing has changed.
    [[nodiscard]] virtual bool on_paging_change(const VCpu& before, const VCpu& after, PagingChange change) = 0;
    /// INVLPG of a guest-linear address.
    virtual void on_invlpg(std::uint32_t linear) = 0;
    /// The host's time-stamp counter; the guest sees it with VCpu::tsc_offset added.
    [[nodiscard]] virtual std::uint64_t host_tsc() = 0;
    /// What the guest's CPUID announces; fixed for the life of the virtual machine.
    [[nodiscard]] virtual const CpuidModel& cpuid() const = 0;

protected:
    ~SystemHooks() = default;
};

} // namespace ringone::vmm
