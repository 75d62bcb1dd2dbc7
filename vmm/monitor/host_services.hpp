// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "vmm/monitor/memory_access.hpp"

namespace ringone::vmm {

/// What the monitor asks of the hosted side: the devices and the clock. Called between begin_host_call() and
/// end_host_call() of the world, on the vCPU thread.
class HostServices : public IoBus {
public:
    /// Guest-physical addresses outside RAM; `size` 1, 2 or 4 bytes.
    [[nodiscard]] virtual std::uint32_t mmio_read(std::uint32_t physical, std::uint32_t size) = 0;
    virtual void mmio_write(std::uint32_t physical, std::uint32_t size, std::uint32_t value) = 0;
    /// Lets the devices catch up with the clock and their input.
    virtual void poll() = 0;
    [[nodiscard]] virtual bool interrupt_pending() = 0;
    [[nodiscard]] virtual std::uint8_t acknowledge_interrupt() = 0;
    /// Sleeps until poll() may have something new. The guest has executed HLT; `wakeable`: with IF set.
    virtual void wait(bool wakeable) = 0;
    /// Has somebody (a device, a user) asked the machine to stop?
    [[nodiscard]] virtual bool stop_requested() = 0;

protected:
    ~HostServices() = default;
};

} // namespace ringone::vmm
