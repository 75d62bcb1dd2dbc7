// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "vmm/monitor/guest_context.hpp"

#include <cstdint>

namespace ringone::vmm::process {

/// Real-time signal of a kick: it never means anything else in this process.
[[nodiscard]] int kick_signal();
/// `function` runs before the process dies of an exception that is not the guest's, of abort(), or of such a signal
/// that somebody sent; with a reason, in give_up().
void on_fatal_signal(void (*function)(const char* reason));
/// Ends the process: the host does not do what the guest cannot run without. Async-signal-safe.
[[noreturn]] void give_up(const char* reason);

/// How the handler of a trap gets back to the monitor.
enum class TrapReturn : std::uint8_t {
    kernel, ///< by sigreturn
    jump,   ///< on its own: it saves a system call
};

/// Routes the hardware's traps (as signals) and kicks of the calling thread to the gates. `linear_end`: addresses
/// below are zone code. Returns false with errno set on failure.
[[nodiscard]] bool install_handlers(GuestContext* context, TrapReturn trap_return);
void remove_handlers();

} // namespace ringone::vmm::process
