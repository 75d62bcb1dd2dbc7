// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "tests/guests/guest_machine.hpp"

#include <chrono>
#include <cpuid.h>
#include <cstdlib>
#include <cstring>
#include <elf.h>
#include <fstream>
#include <iterator>
#include <thread>

namespace ringone::tests {
namespace {

constexpr std::uint16_t kSerial = 0x3F8, kSerialStatus = 0x3FD, kDebugExit = 0xF4;
constexpr std::uint32_t kTransmitterEmpty = 0x60;
constexpr std::uint32_t kBootloaderMagic = 0x2BADB002; // Multiboot specification 0.6.96, section 3.2
constexpr std::uint16_t kFlatCode = 0xC09B, kFlatData = 0xC093;
constexpr std::size_t kMostMmioWrites = 1U << 20U; ///< kept, for the tests to look at

/// The host's CPUID leaves, as the launcher reads them.
vmm::CpuidModel host_cpuid() {
    std::vector<vmm::CpuidLeaf> leaves;
    for (vmm::CpuidLeaf leaf : vmm::host_leaves_of_interest()) {
        __cpuid_count(leaf.leaf, leaf.subleaf, leaf.eax, leaf.ebx, leaf.ecx, leaf.edx);
        leaves.push_back(leaf);
    }
    return vmm::CpuidModel::build(leaves, {});
}

} // namespace

GuestMachine::GuestMachine(const translator::Options& options, const Wrap& wrap) : cpuid_(host_cpuid()) {
    const char* error = nullptr;
    const bool plain = !options.chain; // the reference has no optimization elsewhere either
    vmm::ProcessWorld::Config config{.ram_bytes = kRamBytes};
    if (plain) config.switches = {.trap_jump = false, .populate = false};
    world_.reset(vmm::ProcessWorld::create(config, &error));
    if (world_ == nullptr) {
        std::fprintf(stderr, "guest machine: %s\n", error);
        std::abort();
    }
    vmm::World& world = wrap ? wrap(*world_) : *world_;
    metadata_.resize(vmm::Monitor::metadata_bytes(world_->ram_pages()));
    monitor_ = std::make_unique<vmm::Monitor>(world, static_cast<vmm::HostServices&>(*this), cpuid_,
                                              std::span(metadata_), options,
                                              plain ? vmm::plain_memory() : vmm::MemorySwitches{});
}

GuestMachine::~GuestMachine() = default;

bool GuestMachine::load(const std::string& path, std::uint32_t& entry) {
    std::ifstream file(path, std::ios::binary);
    const std::vector<char> image{std::istreambuf_iterator<char>(file), {}};
    Elf32_Ehdr header;
    if (image.size() < sizeof header) return false;
    std::memcpy(&header, image.data(), sizeof header);
    for (std::uint32_t i = 0; i < header.e_phnum; ++i) {
        Elf32_Phdr segment;
        const std::uint64_t at = header.e_phoff + i * sizeof segment;
        if (at + sizeof segment > image.size()) return false;
        std::memcpy(&segment, image.data() + at, sizeof segment);
        if (segment.p_type != PT_LOAD) continue;
        if (std::uint64_t{segment.p_offset} + segment.p_filesz > image.size()) return false;
        if (std::uint64_t{segment.p_paddr} + segment.p_memsz > kRamBytes) return false;
        std::memcpy(world_->ram() + segment.p_paddr, image.data() + segment.p_offset, segment.p_filesz);
    }
    entry = header.e_entry;
    return true;
}

GuestRun GuestMachine::run(const std::string& name) {
    std::uint32_t entry = 0;
    const std::string path = std::string(RINGONE_GUESTS) + "/" + name + ".elf";
    if (!load(path, entry)) {
        run_.stop.kind = vmm::StopKind::internal;
        run_.stop.why = "the guest's image cannot be loaded";
        return run_;
    }
    vmm::VCpu& v = monitor_->vcpu();
    v.cr0 |= vmm::cr0::kPe;
    v.eip = entry;
    v.eflags = vmm::eflags::kFixed;
    v.gpr[vmm::kEax] = kBootloaderMagic;
    for (vmm::SegmentCache& s : v.segments) s = {0x10, kFlatData, 0, 0xFFFFFFFF, true};
    v.segment(vmm::Segment::cs) = {0x08, kFlatCode, 0, 0xFFFFFFFF, true};
    run_.stop = monitor_->run();
    return run_;
}

std::uint32_t GuestMachine::io_read(std::uint16_t port, std::uint32_t) {
    return port == kSerialStatus ? kTransmitterEmpty : 0xFFFFFFFF;
}

void GuestMachine::io_write(std::uint16_t port, std::uint32_t, std::uint32_t value) {
    if (port == kSerial) run_.serial.push_back(static_cast<char>(value));
    if (port == kDebugExit) run_.exit_code = static_cast<int>(value);
}

std::uint32_t GuestMachine::mmio_read(std::uint32_t, std::uint32_t) { return 0xFFFFFFFF; }

void GuestMachine::mmio_write(std::uint32_t physical, std::uint32_t size, std::uint32_t value) {
    if (mmio_writes_.size() < kMostMmioWrites) mmio_writes_.push_back({physical, size, value});
}

std::uint8_t GuestMachine::acknowledge_interrupt() {
    interrupt_.store(false);
    ++taken_;
    return kInterruptVector;
}

void GuestMachine::wait(bool wakeable) {
    using namespace std::chrono_literals;
    constexpr auto kLongest = 5s;
    for (auto waited = 0us; wakeable && waited < kLongest; waited += 100us) {
        if (interrupt_.load()) return;
        std::this_thread::sleep_for(100us);
    }
    run_.halted = true;
}

} // namespace ringone::tests
