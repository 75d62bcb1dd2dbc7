// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "vmm/monitor/monitor.hpp"
#include "vmm/worlds/process/process_world.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace ringone::tests {

/// What a guest's run left behind.
struct GuestRun {
    vmm::Stop stop;
    int exit_code = -1; ///< as written to the debug-exit port; -1: the guest never did
    bool halted = false; ///< it stopped in HLT, and nothing was to wake it
    std::string serial;
};

/// A guest-physical access outside RAM.
struct MmioWrite {
    std::uint32_t physical, size, value;
};

/// Test switches with a name.
struct NamedOptions {
    const char* name;
    translator::Options options;
};
inline constexpr std::array kAllOptions{NamedOptions{"Plain", translator::plain_options()},
                                        NamedOptions{"Optimized", translator::Options{}}};

/// A multiboot guest in a process world of its own, with no devices but a serial port, the debug exit and an interrupt
/// line with one vector. Reads outside RAM give ones. One at a time in a process.
class GuestMachine final : private vmm::HostServices {
public:
    static constexpr std::uint32_t kRamBytes = 64U << 20U;
    static constexpr std::uint8_t kInterruptVector = 0x20; ///< where the guests' 8259 set-up puts IRQ 0

    /// Runs the monitor in the world returned (of the same lifetime as the machine) instead of the process world itself.
    using Wrap = std::function<vmm::World&(vmm::ProcessWorld&)>;

    explicit GuestMachine(const translator::Options& options, const Wrap& wrap = {});
    ~GuestMachine();
    GuestMachine(const GuestMachine&) = delete;
    GuestMachine& operator=(const GuestMachine&) = delete;

    /// Loads build/<preset>/guests/NAME.elf and runs it to its end. At most once.
    [[nodiscard]] GuestRun run(const std::string& name);

    /// Raises the interrupt line until it is acknowledged. Any thread; does not kick.
    void raise_interrupt() { interrupt_.store(true); }
    [[nodiscard]] bool interrupt_raised() const { return interrupt_.load(); }
    [[nodiscard]] std::uint64_t interrupts_taken() const { return taken_; }

    [[nodiscard]] vmm::ProcessWorld& world() { return *world_; }
    [[nodiscard]] vmm::Monitor& monitor() { return *monitor_; }
    [[nodiscard]] const std::vector<MmioWrite>& mmio_writes() const { return mmio_writes_; }

private:
    [[nodiscard]] bool load(const std::string& path, std::uint32_t& entry);

    std::uint32_t io_read(std::uint16_t port, std::uint32_t size) override;
    void io_write(std::uint16_t port, std::uint32_t size, std::uint32_t value) override;
    std::uint32_t mmio_read(std::uint32_t physical, std::uint32_t size) override;
    void mmio_write(std::uint32_t physical, std::uint32_t size, std::uint32_t value) override;
    void poll() override {}
    bool interrupt_pending() override { return interrupt_.load(); }
    std::uint8_t acknowledge_interrupt() override;
    void wait(bool wakeable) override;
    bool stop_requested() override { return run_.exit_code >= 0 || run_.halted; }

    std::unique_ptr<vmm::ProcessWorld> world_;
    vmm::CpuidModel cpuid_;
    std::vector<std::byte> metadata_;
    std::unique_ptr<vmm::Monitor> monitor_;
    GuestRun run_;
    std::vector<MmioWrite> mmio_writes_;
    std::atomic<bool> interrupt_{false};
    std::uint64_t taken_ = 0;
};

} // namespace ringone::tests
