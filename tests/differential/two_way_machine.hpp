// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "vmm/monitor/monitor.hpp"
#include "vmm/worlds/process/process_world.hpp"

#include <cstdint>
#include <memory>
#include <vector>

namespace ringone::tests {

/// Everything a sequence may change.
struct State {
    std::uint32_t gpr[8];
    std::uint32_t eflags;
    std::uint32_t eip;
    std::uint32_t vector;
    std::uint32_t error_code;
    std::uint8_t fpu[512];
    std::vector<std::uint8_t> data;
};

/// One process world with two ways to run the same user-mode code at the same guest addresses: natively, in an LDT
/// code segment, and through the monitor, as the CPL 3 part of a small protected-mode guest whose fault handlers halt.
class TwoWayMachine final : private vmm::HostServices {
public:
    TwoWayMachine(translator::CodeSize size, const translator::Options& options,
                  vmm::LowMemory low_memory = vmm::LowMemory::automatic);
    ~TwoWayMachine();
    TwoWayMachine(const TwoWayMachine&) = delete;
    TwoWayMachine& operator=(const TwoWayMachine&) = delete;

    /// EIP of the code, the same both ways.
    [[nodiscard]] std::uint32_t code_eip() const { return size_ == translator::CodeSize::bits32 ? kCode : 0x100; }
    void set_code(const std::vector<std::uint8_t>& code);
    /// Both take the registers, FPU image and data from `state` and leave there what the code made of them.
    void run_native(State& state);
    void run_translated(State& state);
    [[nodiscard]] vmm::Monitor& monitor() { return *monitor_; }
    /// Why the monitor stopped, when it was not a guest fault handler.
    [[nodiscard]] const char* stopped() const { return stopped_; }

private:
    static constexpr std::uint32_t kCode = 0x400000;
    static constexpr std::uint32_t kNativeShift = 0x1000000; ///< how far behind the code its native copy lies in RAM
    static constexpr std::uint32_t kNativeData = 0x4000000;  ///< where the native side sees the guest's page 0
    static constexpr std::uint32_t kNativeCode = 0x8000000;  ///< base of the native side's view of that copy
    static constexpr std::uint32_t kTables = 0x500000;
    static constexpr std::uint32_t kHandlers = 0x510000;
    static constexpr std::uint32_t kKernelStack = 0x530000;
    static constexpr std::uint32_t kRam = 32U << 20U;

    [[nodiscard]] std::uint32_t code_physical() const { return kCode + (code_eip() == kCode ? 0 : code_eip()); }
    void set_up_guest();
    void set_up_native();
    void load_user_segments(vmm::VCpu& vcpu) const;

    std::uint32_t io_read(std::uint16_t, std::uint32_t) override { return 0xFFFFFFFF; }
    void io_write(std::uint16_t, std::uint32_t, std::uint32_t) override {}
    std::uint32_t mmio_read(std::uint32_t, std::uint32_t) override { return 0xFFFFFFFF; }
    void mmio_write(std::uint32_t, std::uint32_t, std::uint32_t) override {}
    void poll() override {}
    bool interrupt_pending() override { return false; }
    std::uint8_t acknowledge_interrupt() override { return 0; }
    void wait(bool) override { halted_ = true; }
    bool stop_requested() override { return halted_; }

    translator::CodeSize size_;
    vmm::ProcessWorld* world_ = nullptr;
    vmm::CpuidModel cpuid_;
    std::vector<std::byte> metadata_;
    std::unique_ptr<vmm::Monitor> monitor_;
    std::uint16_t monitor_code_selector_ = 0;
    std::uint16_t monitor_gs_ = 0;
    std::uint16_t native_code_selector_ = 0;
    std::uint16_t native_data_ = 0, native_stack_ = 0, native_fs_ = 0, native_gs_ = 0;
    bool halted_ = false;
    const char* stopped_ = nullptr;
    char stopped_text_[256] = {};
};

} // namespace ringone::tests
