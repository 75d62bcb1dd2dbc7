// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "vmm/monitor/guest_fault.hpp"
#include "vmm/monitor/memory_access.hpp"
#include "vmm/monitor/system/hooks.hpp"
#include "vmm/monitor/vcpu.hpp"

#include <cstdint>
#include <optional>

namespace ringone::vmm {

enum class EventSource : std::uint8_t {
    hardware,     ///< external interrupt or NMI: no DPL check, EXT set
    software_int, ///< INT n: DPL check; IOPL check in virtual-8086 mode
    int3,         ///< INT3: DPL check
    into,         ///< INTO: DPL check
    exception,    ///< fault, trap, or INT1: no DPL check, EXT set
};

/// An interrupt or exception on its way to the guest's handler.
struct Event {
    std::uint8_t vector = 0;
    EventSource source = EventSource::hardware;
    bool has_error_code = false;
    std::uint32_t error_code = 0;
    std::uint32_t cr2 = 0; ///< page faults: becomes CR2
    /// INT n, INT3, INTO, INT1: the handler returns this many bytes after VCpu::eip; a fault during the delivery does not.
    std::uint32_t instruction_length = 0;

    [[nodiscard]] static constexpr Event interrupt(std::uint8_t vector) {
        return {vector, EventSource::hardware, false, 0, 0, 0};
    }
    [[nodiscard]] static constexpr Event from_fault(const GuestFault& fault) {
        return {fault.vector, EventSource::exception, fault.has_error_code, fault.error_code, fault.cr2, 0};
    }
    [[nodiscard]] constexpr bool software() const {
        return source != EventSource::hardware && source != EventSource::exception;
    }
};

enum class Delivery : std::uint8_t {
    delivered, ///< the virtual CPU stands before the handler's first instruction
    shutdown,  ///< triple fault
};

/// Delivers an event (SDM Vol. 3 chapter 6, 20.1.4, 20.3; Vol. 2 INT n). VCpu::eip is the address the handler returns to
/// (but see instruction_length). Faults met on the way are delivered in its place, as a double fault where table 6-5 says so.
/// Halted state and interrupt shadow end. A #DB handler finds DR6 as the caller left it; DR7.GD is cleared.
[[nodiscard]] Delivery deliver(VCpu& vcpu, LinearMemory& memory, SystemHooks& hooks, const Event& event);

/// The event that a fault during the delivery of `first` becomes; nothing for shutdown (SDM Vol. 3 table 6-5).
[[nodiscard]] std::optional<Event> combine(const Event& first, const GuestFault& second);

} // namespace ringone::vmm
