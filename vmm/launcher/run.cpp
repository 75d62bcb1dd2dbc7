// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "vmm/launcher/run.hpp"

#include "vmm/launcher/exit_status.hpp"
#include "vmm/launcher/file_bytes.hpp"
#include "vmm/launcher/memory_size.hpp"
#include "vmm/launcher/standard_streams.hpp"
#include "vmm/launcher/statistics.hpp"
#include "vmm/launcher/translation_switches.hpp"
#include "vmm/launcher/virtual_machine.hpp"

#include <cstdio>
#include <fmt/format.h>
#include <fstream>
#include <memory>
#include <spdlog/spdlog.h>

namespace ringone::launcher {
namespace {

struct RunOptions {
    std::string kernel, initrd, append;
    std::string memory = "256M";
    std::string zone = "4M";
    std::string world = "auto";
    std::vector<std::string> without;
    bool hypervisor_bit = false;
    bool guest_mitigations = false;
    bool stats = false;
    std::string stats_json;
};

void write_statistics(const RunOptions& options, VirtualMachine& machine) {
    if (!options.stats && options.stats_json.empty()) return;
    const std::vector<Statistic> statistics = collect(machine);
    if (options.stats) std::fputs(to_text(statistics).c_str(), stderr);
    if (options.stats_json.empty()) return;
    std::ofstream file(options.stats_json, std::ios::binary);
    file << to_json(statistics);
    file.close();
    if (!file) throw UserError(fmt::format("--stats-json: cannot write {}", options.stats_json));
}

int run(const RunOptions& options) {
    const std::uint32_t zone_limit = checked_zone_limit(parse_size(options.zone, "--zone"));
    const std::uint64_t memory = checked_memory_size(parse_size(options.memory, "-m"), zone_limit);
    const Switches switches = switches_without(options.without);
    const std::vector<std::uint8_t> kernel = read_file(options.kernel, "kernel", memory);
    std::vector<std::uint8_t> initrd;
    if (!options.initrd.empty()) initrd = read_file(options.initrd, "initrd", memory);

    Console::block_signals();
    // Not on the stack: it is larger than what `ulimit -s` may leave.
    const auto machine = std::make_unique<VirtualMachine>(
        MachineOptions{memory, zone_limit, options.hypervisor_bit, options.guest_mitigations, switches});
    BootFiles files{{options.kernel, kernel}, {}, options.append, zone_limit};
    if (!options.initrd.empty()) files.initrd = BootFile{options.initrd, initrd};
    machine->load(files);
    const Outcome outcome = machine->run();
    if (!outcome.message.empty()) tell(outcome.message);
    write_statistics(options, *machine);
    return outcome.status;
}

} // namespace

void add_run(CLI::App& app, std::function<int()>& command) {
    const auto options = std::make_shared<RunOptions>();
    CLI::App* const sub = app.add_subcommand("run", "Run a 32-bit kernel: multiboot ELF or Linux bzImage");
    sub->add_option("--kernel", options->kernel, "the kernel's file")->required();
    sub->add_option("--initrd", options->initrd, "initial RAM disk, or multiboot module");
    sub->add_option("--append", options->append, "the kernel's command line");
    sub->add_option("-m,--memory", options->memory, "guest memory, as 64M or 1G")->capture_default_str();
    sub->add_option("--zone", options->zone, "address space kept for the monitor at the top of 4 GiB")
        ->capture_default_str();
    sub->add_option("--world", options->world, "what runs the guest: process, or auto for the best there is")
        ->check(CLI::IsMember({"auto", "process"}))
        ->capture_default_str();
    sub->add_option("--without", options->without,
                    "switch optimizations off, for measurements: all, " + switch_names())
        ->delimiter(',');
    sub->add_flag("--hypervisor-bit", options->hypervisor_bit, "let CPUID tell that this is a virtual machine");
    sub->add_flag("--guest-mitigations", options->guest_mitigations,
                  "let the guest believe that it has to guard against Meltdown, Spectre and MDS itself");
    sub->add_flag("--stats", options->stats, "print the counters at the end");
    sub->add_option("--stats-json", options->stats_json, "write the counters to a file");
    sub->callback([options, &command] { command = [options] { return run(*options); }; });
}

} // namespace ringone::launcher
