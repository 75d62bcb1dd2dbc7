// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
//
// guest_runner FILE [--append TEXT] [--without OPTION]...: runs a multiboot image in the process world with nothing
// but a serial port and the debug-exit port, then prints the monitor's counters as one line of JSON.
#include "vmm/monitor/monitor.hpp"
#include "vmm/worlds/process/process_world.hpp"

#include <cstdio>
#include <cstring>
#include <elf.h>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

namespace {

using namespace ringone;

constexpr std::uint32_t kRamBytes = 64U << 20U;
constexpr std::uint32_t kInfoAddress = 0x1000;
constexpr std::uint32_t kCommandLineAddress = 0x2000;
constexpr std::uint32_t kInfoHasCommandLine = 4;
constexpr std::uint32_t kBootloaderMagic = 0x2BADB002;
constexpr std::uint16_t kSerial = 0x3F8, kSerialStatus = 0x3FD, kExit = 0xF4;

class SerialAndExit final : public vmm::HostServices {
public:
    [[nodiscard]] std::uint32_t io_read(std::uint16_t port, std::uint32_t) override {
        return port == kSerialStatus ? 0x60 : 0xFF;
    }
    void io_write(std::uint16_t port, std::uint32_t, std::uint32_t value) override {
        if (port == kSerial) std::putchar(static_cast<int>(value));
        if (port == kExit) exit_code = static_cast<int>(value);
    }
    [[nodiscard]] std::uint32_t mmio_read(std::uint32_t, std::uint32_t) override { return ~0U; }
    void mmio_write(std::uint32_t, std::uint32_t, std::uint32_t) override {}
    void poll() override {}
    [[nodiscard]] bool interrupt_pending() override { return false; }
    [[nodiscard]] std::uint8_t acknowledge_interrupt() override { return 0; }
    void wait(bool) override { exit_code = 3; }
    [[nodiscard]] bool stop_requested() override { return exit_code >= 0; }

    int exit_code = -1;
};

bool switch_off(translator::Options& options, std::string_view name) {
    const struct {
        std::string_view name;
        bool translator::Options::*option;
    } kSwitches[] = {
        {"chain", &translator::Options::chain},
        {"fall_through", &translator::Options::fall_through},
        {"indirect_lookup", &translator::Options::indirect_lookup},
        {"site_cache", &translator::Options::site_cache},
        {"place_entries", &translator::Options::place_entries},
        {"return_cache", &translator::Options::return_cache},
    };
    for (const auto& s : kSwitches)
        if (s.name == name) {
            options.*s.option = false;
            return true;
        }
    return false;
}

/// Copies the image's segments to RAM; the entry point, or 0.
std::uint32_t load(const char* path, vmm::ProcessWorld& world) {
    std::ifstream file(path, std::ios::binary);
    const std::vector<char> image{std::istreambuf_iterator<char>(file), {}};
    Elf32_Ehdr header;
    if (image.size() < sizeof header) return 0;
    std::memcpy(&header, image.data(), sizeof header);
    for (std::uint32_t i = 0; i < header.e_phnum; ++i) {
        Elf32_Phdr segment;
        std::memcpy(&segment, image.data() + header.e_phoff + i * sizeof segment, sizeof segment);
        if (segment.p_type != PT_LOAD) continue;
        if (std::uint64_t{segment.p_offset} + segment.p_filesz > image.size()) return 0;
        if (std::uint64_t{segment.p_paddr} + segment.p_memsz > kRamBytes) return 0;
        std::memcpy(world.ram() + segment.p_paddr, image.data() + segment.p_offset, segment.p_filesz);
    }
    return header.e_entry;
}

void set_up(vmm::VCpu& cpu, std::uint32_t entry) {
    cpu.cr0 |= vmm::cr0::kPe;
    cpu.eip = entry;
    cpu.eflags = 2;
    for (int i = 0; i < 6; ++i) {
        const bool code = i == 1;
        cpu.segments[i] = {static_cast<std::uint16_t>(code ? 8 : 16),
                           static_cast<std::uint16_t>(code ? 0xC09B : 0xC093), 0, 0xFFFFFFFF, true};
    }
    cpu.gpr[vmm::kEax] = kBootloaderMagic;
    cpu.gpr[vmm::kEbx] = kInfoAddress;
}

} // namespace

int main(int argc, char** argv) {
    translator::Options options;
    std::string command_line;
    for (int i = 2; i + 1 < argc; i += 2) {
        const std::string_view option = argv[i];
        if (option == "--append") command_line = argv[i + 1];
        else if (option != "--without" || !switch_off(options, argv[i + 1])) argc = 0;
    }
    if (argc < 2) {
        std::fprintf(stderr, "usage: guest_runner FILE [--append TEXT] [--without OPTION]...\n");
        return 2;
    }
    const char* error = nullptr;
    std::unique_ptr<vmm::ProcessWorld> world(vmm::ProcessWorld::create({kRamBytes}, &error));
    if (world == nullptr) {
        std::fprintf(stderr, "guest_runner: %s\n", error);
        return 2;
    }
    const std::uint32_t entry = load(argv[1], *world);
    if (entry == 0) {
        std::fprintf(stderr, "guest_runner: cannot load %s\n", argv[1]);
        return 2;
    }
    std::memcpy(world->ram() + kInfoAddress, &kInfoHasCommandLine, sizeof kInfoHasCommandLine);
    std::memcpy(world->ram() + kInfoAddress + 16, &kCommandLineAddress, sizeof kCommandLineAddress);
    std::memcpy(world->ram() + kCommandLineAddress, command_line.c_str(), command_line.size() + 1);

    SerialAndExit services;
    const vmm::CpuidModel cpuid;
    std::vector<std::byte> metadata(vmm::Monitor::metadata_bytes(world->ram_pages()));
    const auto monitor = std::make_unique<vmm::Monitor>(*world, services, cpuid, std::span(metadata), options);
    set_up(monitor->vcpu(), entry);
    const vmm::Stop stop = monitor->run();
    const vmm::MonitorCounters& m = monitor->counters();
    const translator::CacheCounters& c = monitor->translator().cache().counters();
    std::printf("counters {\"exits_link\": %lu, \"exits_indirect\": %lu, \"exits_callout\": %lu, \"traps\": %lu, "
                "\"fragments\": %lu, \"guest_instructions\": %lu, \"identical_instructions\": %lu, "
                "\"links_made\": %lu, \"guest_bytes\": %lu, \"code_bytes\": %lu, \"evicted_fragments\": %lu, "
                "\"invalidated\": %lu, \"low_accesses\": %lu, \"translation_cycles\": %lu}\n",
                m.exits_link, m.exits_indirect, m.exits_callout, m.traps, c.fragments, c.guest_instructions,
                c.identical_instructions, c.links_made, c.guest_bytes, c.code_bytes, c.evicted_fragments,
                c.invalidated, m.low_accesses, m.translation_cycles);
    if (stop.kind != vmm::StopKind::requested) {
        std::fprintf(stderr, "guest_runner: the guest stopped at %x: %s\n", stop.eip, stop.why);
        return 3;
    }
    return services.exit_code;
}
