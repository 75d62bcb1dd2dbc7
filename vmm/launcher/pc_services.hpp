// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "devices/backend/host_clock.hpp"
#include "devices/platform/pc_platform.hpp"
#include "vmm/launcher/console.hpp"
#include "vmm/launcher/file_descriptor.hpp"
#include "vmm/launcher/kick_timer.hpp"
#include "vmm/monitor/host_services.hpp"
#include "vmm/worlds/process/process_world.hpp"

#include <optional>

namespace ringone::launcher {

/// The PC around a virtual CPU, on the host's clock and the console. All of it runs on the vCPU thread.
class PcServices final : public vmm::HostServices {
public:
    struct Counters {
        std::uint64_t io_reads, io_writes, mmio_reads, mmio_writes, polls, timer_settings, sleeps, slept_ns;
    };

    PcServices(vmm::ProcessWorld& world, std::uint64_t memory_bytes);

    [[nodiscard]] std::uint32_t io_read(std::uint16_t port, std::uint32_t size) override;
    void io_write(std::uint16_t port, std::uint32_t size, std::uint32_t value) override;
    [[nodiscard]] std::uint32_t mmio_read(std::uint32_t physical, std::uint32_t size) override;
    void mmio_write(std::uint32_t physical, std::uint32_t size, std::uint32_t value) override;
    void poll() override;
    [[nodiscard]] bool interrupt_pending() override { return platform_.interrupt_pending(); }
    [[nodiscard]] std::uint8_t acknowledge_interrupt() override;
    void wait(bool wakeable) override;
    [[nodiscard]] bool stop_requested() override { return event_.has_value() || console_.ended() || halted_for_ever_; }

    [[nodiscard]] devices::PcPlatform& platform() { return platform_; }
    [[nodiscard]] Console& console() { return console_; }
    /// What has ended the machine, if it was the guest.
    [[nodiscard]] const std::optional<devices::PcEvent>& event() const { return event_; }
    [[nodiscard]] bool halted_for_ever() const { return halted_for_ever_; }
    [[nodiscard]] const Counters& counters() const { return counters_; }

private:
    /// Port 0xE9 goes to standard error, unbuffered.
    class DebugOutput final : public devices::ByteSink {
    public:
        [[nodiscard]] bool put(std::uint8_t byte) override;
    };

    void set_timer();

    vmm::ProcessWorld& world_;
    devices::HostClock clock_;
    devices::HostWallClock wall_clock_;
    DebugOutput debug_output_;
    FileDescriptor wake_;
    Console console_;
    devices::PcPlatform platform_;
    KickTimer timer_;
    std::uint64_t armed_for_ns_ = 0; ///< virtual time of the timer's signal; in the past: none is to come
    std::optional<devices::PcEvent> event_;
    bool halted_for_ever_ = false;
    Counters counters_{};
};

} // namespace ringone::launcher
