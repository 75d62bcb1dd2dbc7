// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include <cstddef>
#include <cstdint>

namespace ringone::vmm {

/// Why a run in the translation cache ended.
enum class RunExit : std::uint32_t {
    gate, ///< through the exit gate: GsArea::exit_info says what for
    trap, ///< a hardware exception at `ccf`
    kick, ///< somebody asked for the monitor's attention
};

/// What the world's gate code moves between memory and the hardware registers. The gates are assembly: offsets are
/// asserted below. Owner: the vCPU thread and its signal handlers; `kicked` also any thread (atomic).
struct GuestContext {
    std::uint32_t gpr[8];       ///< encoding order
    std::uint32_t flags;        ///< status flags, DF and AC; the gate adds what the hardware needs
    std::uint32_t ccf;          ///< where to enter; where the run ended
    std::uint16_t es, ss, ds, fs, gs; ///< hardware (shadow) selectors
    std::uint16_t code_selector;
    RunExit exit;
    std::uint32_t trap_vector;
    std::uint32_t trap_error;
    std::uint64_t trap_address; ///< CR2: linear, for page faults
    std::uint32_t kicked;
    std::uint32_t single_step;  ///< enter with TF set: one instruction, then a debug trap
    std::uint64_t host_rsp;
    std::uint64_t host_fs_base;
    std::uint64_t exit_target;  ///< 64-bit code the exit gate continues at
    struct {
        std::uint32_t offset;
        std::uint16_t selector;
    } entry; ///< far pointer of the last entry
    std::uint64_t runs;
};

static_assert(offsetof(GuestContext, gpr) == 0, "gate.S");
static_assert(offsetof(GuestContext, flags) == 32, "gate.S");
static_assert(offsetof(GuestContext, ccf) == 36, "gate.S");
static_assert(offsetof(GuestContext, es) == 40, "gate.S");
static_assert(offsetof(GuestContext, ss) == 42, "gate.S");
static_assert(offsetof(GuestContext, ds) == 44, "gate.S");
static_assert(offsetof(GuestContext, fs) == 46, "gate.S");
static_assert(offsetof(GuestContext, gs) == 48, "gate.S");
static_assert(offsetof(GuestContext, code_selector) == 50, "gate.S");
static_assert(offsetof(GuestContext, exit) == 52, "gate.S");
static_assert(offsetof(GuestContext, kicked) == 72, "gate.S");
static_assert(offsetof(GuestContext, single_step) == 76, "gate.S");
static_assert(offsetof(GuestContext, host_rsp) == 80, "gate.S");
static_assert(offsetof(GuestContext, host_fs_base) == 88, "gate.S");
static_assert(offsetof(GuestContext, exit_target) == 96, "gate.S");
static_assert(offsetof(GuestContext, entry) == 104, "gate.S");

} // namespace ringone::vmm
