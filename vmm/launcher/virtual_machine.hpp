// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "vmm/launcher/kernel_loader.hpp"
#include "vmm/launcher/pc_services.hpp"
#include "vmm/launcher/translation_switches.hpp"
#include "vmm/launcher/zero_pages.hpp"
#include "vmm/monitor/monitor.hpp"
#include "vmm/worlds/process/process_world.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace ringone::launcher {

struct MachineOptions {
    std::uint64_t memory_bytes;
    std::uint32_t zone_limit; ///< first guest-linear address of the monitor zone
    bool hypervisor_bit;      ///< CPUID tells the guest that it is in a virtual machine
    bool guest_mitigations;   ///< the guest's CPU is shown as one that needs them: Meltdown, Spectre, MDS ...
    Switches switches;
};

/// How a run ended: the process's exit status, and what to tell the user (empty: nothing).
struct Outcome {
    int status;
    std::string message;
};

/// One PC in the process world. One a process.
class VirtualMachine {
public:
    /// Throws UserError when this host, or the options, do not allow it.
    explicit VirtualMachine(const MachineOptions& options);

    /// Loads what boots. Throws UserError.
    void load(const BootFiles& files);
    /// Runs until the guest, the user or the monitor ends it. Not twice.
    [[nodiscard]] Outcome run();

    [[nodiscard]] vmm::Monitor& monitor() { return *monitor_; }
    [[nodiscard]] vmm::ProcessWorld& world() { return *world_; }
    [[nodiscard]] PcServices& services() { return services_; }
    /// Wall-clock time of run().
    [[nodiscard]] std::uint64_t run_ns() const { return run_ns_; }

private:
    [[nodiscard]] Outcome outcome_of(const vmm::Stop& stop);

    std::unique_ptr<vmm::ProcessWorld> world_;
    PcServices services_;
    vmm::CpuidModel cpuid_;
    ZeroPages metadata_;
    std::unique_ptr<vmm::Monitor> monitor_;
    std::uint64_t run_ns_ = 0;
};

} // namespace ringone::launcher
