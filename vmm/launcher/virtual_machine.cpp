// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "vmm/launcher/virtual_machine.hpp"

#include "translator/decoder.hpp"
#include "vmm/launcher/code_names.hpp"
#include "vmm/launcher/exit_status.hpp"
#include "vmm/launcher/standard_streams.hpp"
#include "vmm/launcher/terminal.hpp"

#include <cpuid.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <fstream>
#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <unistd.h>

namespace ringone::launcher {
namespace {

constexpr unsigned long kTimerSlackNs = 1000; ///< the default of 50 us would make every tick late

std::unique_ptr<vmm::ProcessWorld> make_world(const MachineOptions& options) {
    const char* error = nullptr;
    std::unique_ptr<vmm::ProcessWorld> world(vmm::ProcessWorld::create(
        {.ram_bytes = static_cast<std::uint32_t>(options.memory_bytes), .zone_limit = options.zone_limit,
         .switches = options.switches.process},
        &error));
    if (world == nullptr) throw UserError(error);
    return world;
}

bool host_not_affected(const char* vulnerability) {
    std::ifstream file(std::string("/sys/devices/system/cpu/vulnerabilities/") + vulnerability);
    std::string line;
    return std::getline(file, line) && line == "Not affected";
}

/// What a guest need not do against leaks by speculation. Meltdown: in this world no page-table bit keeps user code from
/// the kernel's pages; a segment limit does, or they are not mapped. Spectre v2 and its like: retpolines and thunks have no effect, since indirect
/// branches of the guest are other instructions in its fragments; they would only cost time. The others are the host's.
std::uint64_t arch_capabilities() {
    using namespace vmm::arch_capability;
    std::uint64_t bits = kRdclNo | kIbrsAll | kPschangeMcNo | kTaaNo | kBhiNo | kItsNo | kGdsNo;
    if (host_not_affected("mds")) bits |= kMdsNo;
    if (host_not_affected("mmio_stale_data")) bits |= kStaleDataNo;
    if (host_not_affected("reg_file_data_sampling")) bits |= kRfdsNo;
    return bits;
}

vmm::CpuidModel make_cpuid(const MachineOptions& options) {
    std::vector<vmm::CpuidLeaf> host;
    for (const vmm::CpuidLeaf& wanted : vmm::host_leaves_of_interest()) {
        vmm::CpuidLeaf leaf{.leaf = wanted.leaf, .subleaf = wanted.subleaf};
        if (__get_cpuid_count(wanted.leaf, wanted.subleaf, &leaf.eax, &leaf.ebx, &leaf.ecx, &leaf.edx) != 0)
            host.push_back(leaf);
    }
    return vmm::CpuidModel::build(host, {.hypervisor = options.hypervisor_bit,
                                         .arch_capabilities = options.guest_mitigations ? 0 : arch_capabilities()});
}

/// In a signal handler: only what is safe there.
void end_badly(const char* reason) {
    RawTerminal::restore_any();
    if (reason == nullptr) return;
    tell_in_signal_handler("stopped", reason);
    _exit(kExitStopped);
}

std::string describe(const vmm::Stop& stop, translator::CodeSize size) {
    const std::span bytes(stop.bytes, stop.byte_count);
    std::string text = fmt::format("{} at {:04x}:{:08x}", stop.why, stop.cs, stop.eip);
    if (bytes.empty()) return text;
    const translator::Decoder decoder;
    translator::Instruction instruction;
    instruction.eip = stop.eip;
    if (decoder.decode(size, bytes, stop.eip, instruction) == translator::DecodeStatus::ok)
        return text + fmt::format(" ({}: {:02x})", disassemble(instruction),
                                  fmt::join(bytes.first(instruction.info.length), " "));
    return text + fmt::format(" (bytes {:02x})", fmt::join(bytes, " "));
}

} // namespace

VirtualMachine::VirtualMachine(const MachineOptions& options)
    : world_(make_world(options)), services_(*world_, options.memory_bytes), cpuid_(make_cpuid(options)),
      metadata_(vmm::Monitor::metadata_bytes(world_->ram_pages())) {
    vmm::ProcessWorld::on_fatal_signal(end_badly);
    prctl(PR_SET_TIMERSLACK, kTimerSlackNs);
    monitor_ = std::make_unique<vmm::Monitor>(*world_, services_, cpuid_, metadata_.span(),
                                              options.switches.translation, options.switches.memory);
    spdlog::info("process world: {} MiB of memory, the monitor zone from {:08x} on, {} KiB of translation cache",
                 options.memory_bytes >> 20U, world_->zone().guest_limit, world_->zone().code.size >> 10U);
}

void VirtualMachine::load(const BootFiles& files) {
    BootMemory memory({world_->ram(), std::size_t{world_->ram_pages()} * 4096});
    const EntryState entry = load_kernel(files, memory);
    enter_kernel(entry, memory, monitor_->vcpu());
    services_.platform().build_acpi_tables(
        [&memory](std::uint32_t address, std::span<const std::uint8_t> bytes) { memory.write(address, bytes); });
    spdlog::info("kernel {}: {} KiB, entered at {:08x}", files.kernel.path, files.kernel.bytes.size() >> 10U, entry.eip);
    if (files.initrd) spdlog::info("initrd {}: {} KiB", files.initrd->path, files.initrd->bytes.size() >> 10U);
}

Outcome VirtualMachine::run() {
    const devices::HostClock clock;
    const vmm::Stop stop = monitor_->run();
    run_ns_ = clock.now_ns();
    spdlog::debug("the monitor left its loop at {:04x}:{:08x}: {}", stop.cs, stop.eip, stop.why);
    return outcome_of(stop);
}

Outcome VirtualMachine::outcome_of(const vmm::Stop& stop) {
    using enum devices::PcEvent::Kind;
    if (const std::optional<ConsoleEnd> end = services_.console().finish()) return {end->status, end->message};
    if (const std::optional<devices::PcEvent>& event = services_.event()) {
        switch (event->kind) {
        case kDebugExit: return {static_cast<int>(event->exit_code & 0xFF), ""};
        case kPowerOff: return {kExitSuccess, ""};
        case kReset: return {kExitSuccess, "the guest reset the machine, which ends it here"};
        }
    }
    const bool big = monitor_->vcpu().segment(vmm::Segment::cs).big();
    const auto size = big ? translator::CodeSize::bits32 : translator::CodeSize::bits16;
    if (services_.halted_for_ever())
        return {kExitStopped, fmt::format("stopped: the guest halted with interrupts off, for ever, at {:04x}:{:08x}",
                                          stop.cs, stop.eip)};
    return {kExitStopped, "stopped: " + describe(stop, size)};
}

} // namespace ringone::launcher
