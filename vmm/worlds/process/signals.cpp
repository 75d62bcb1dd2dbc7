// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "vmm/worlds/process/signals.hpp"

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <immintrin.h>
#include <ucontext.h>
#include <unistd.h>

extern "C" {
// Labels in gate.S.
extern const char ringone_gate_window[];
extern const char ringone_gate_entered[];
extern const char ringone_gate_abandon[];
extern const char ringone_gate_leave[];
[[noreturn]] void ringone_gate_from_trap(ringone::vmm::GuestContext* context, const void* fxsave_image);
}

namespace ringone::vmm::process {
namespace {

constexpr std::uint64_t kUserCode64 = 0x33;
constexpr std::uint64_t kUserData = 0x2B;
constexpr std::uint64_t kFourGiB = 1ULL << 32U;
constexpr std::uint64_t kPlainFlags = 0x202;
constexpr std::uint64_t kTrapFlag = 0x100;
constexpr int kTrapSignals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
constexpr int kAbort = SIGABRT; ///< never the guest's

/// The one world of this process. Signal handlers have no other way to find it; set before they are installed.
GuestContext* guest_context = nullptr;
void (*last_will)(const char* reason) = nullptr;
bool traps_return = true; ///< TrapReturn::kernel
int kick_signal_number = 0; ///< kick_signal(), which asks libc, when the handlers were installed

std::uint64_t address(const char* label) { return reinterpret_cast<std::uint64_t>(label); }

/// Ends the process by the signal as if there were no handler.
void die(int signal, std::uint64_t host_fs_base) {
    _writefsbase_u64(host_fs_base);
    if (last_will != nullptr) last_will(nullptr);
    std::signal(signal, SIG_DFL);
    kill(getpid(), signal); // held until the handler returns
}

/// Runs with the guest's FS base: nothing here may touch thread-local storage (no errno, no stack protector) before
/// FS is set back, and no SSE register (compiled with -mgeneral-regs-only).
void handle(int signal, siginfo_t* info, void* opaque) {
    auto& registers = static_cast<ucontext_t*>(opaque)->uc_mcontext.gregs;
    const auto reg = [&registers](int name) -> greg_t& { return registers[name]; };
    GuestContext* const c = guest_context;
    const bool kick = signal == kick_signal_number;
    // From kill() or abort(), not from the hardware: nothing that the guest has done.
    if (!kick && info->si_code <= 0) return die(signal, c->host_fs_base);
    const auto code_selector = static_cast<std::uint16_t>(reg(REG_CSGSFS) & 0xFFFF);
    const auto rip = static_cast<std::uint64_t>(reg(REG_RIP));
    if (signal == SIGBUS && info->si_code == BUS_ADRERR) { // whoever touched it
        _writefsbase_u64(c->host_fs_base);
        give_up("the host has no memory left for the guest's");
    }
    // A timer's signal has not set it; and whoever sees the exit may be busy with something else.
    if (kick) __atomic_store_n(&c->kicked, 1U, __ATOMIC_SEQ_CST);

    if (code_selector == c->code_selector) {
        constexpr int kOrder[] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI};
        for (unsigned i = 0; i < 8; ++i) c->gpr[i] = static_cast<std::uint32_t>(reg(kOrder[i]));
        c->flags = static_cast<std::uint32_t>(reg(REG_EFL));
        constexpr unsigned kSsShift = 48; // of the word that holds CS, GS, FS and SS
        c->ss = static_cast<std::uint16_t>(static_cast<std::uint64_t>(reg(REG_CSGSFS)) >> kSsShift);
        asm volatile("mov %%es, %0" : "=m"(c->es)); // the kernel leaves these three as they were
        asm volatile("mov %%ds, %0" : "=m"(c->ds));
        asm volatile("mov %%fs, %0" : "=m"(c->fs));
        c->ccf = static_cast<std::uint32_t>(rip);
        c->exit = kick ? RunExit::kick : RunExit::trap;
        if (!kick) {
            c->trap_vector = static_cast<std::uint32_t>(reg(REG_TRAPNO));
            c->trap_error = static_cast<std::uint32_t>(reg(REG_ERR));
            c->trap_address = static_cast<std::uint64_t>(reg(REG_CR2));
            // Nothing is blocked, and nothing in the frame is needed any more but the FPU state.
            if (!traps_return) ringone_gate_from_trap(c, static_cast<ucontext_t*>(opaque)->uc_mcontext.fpregs);
        }
        reg(REG_RIP) = static_cast<greg_t>(address(ringone_gate_leave));
        reg(REG_RDI) = static_cast<greg_t>(reinterpret_cast<std::uint64_t>(c));
        reg(REG_CSGSFS) = static_cast<greg_t>((static_cast<std::uint64_t>(reg(REG_CSGSFS)) & 0x0000FFFFFFFF0000ULL) |
                                              kUserCode64 | kUserData << kSsShift);
        reg(REG_EFL) = static_cast<greg_t>(kPlainFlags);
        return;
    }
    if (kick) {
        if (rip >= address(ringone_gate_window) && rip < address(ringone_gate_entered)) {
            // Not in the guest yet, and what is in memory is still the whole truth.
            reg(REG_RIP) = static_cast<greg_t>(address(ringone_gate_abandon));
            reg(REG_RDI) = static_cast<greg_t>(reinterpret_cast<std::uint64_t>(c));
            reg(REG_EFL) = static_cast<greg_t>(kPlainFlags);
        }
        // Elsewhere the monitor sees `kicked` before its next entry.
        return;
    }
    if (signal == SIGTRAP && rip < kFourGiB) {
        // Single step walked through the exit gate into 64-bit code: the step is over.
        reg(REG_EFL) &= ~static_cast<greg_t>(kTrapFlag);
        return;
    }
    die(signal, c->host_fs_base); // not the guest's: a bug in the monitor or the launcher
}

} // namespace

void on_fatal_signal(void (*function)(const char* reason)) { last_will = function; }

void give_up(const char* reason) {
    if (last_will != nullptr) last_will(reason);
    std::abort();
}

int kick_signal() { return SIGRTMIN + 3; }

bool install_handlers(GuestContext* context, TrapReturn trap_return) {
    guest_context = context;
    traps_return = trap_return == TrapReturn::kernel;
    kick_signal_number = kick_signal();
    struct sigaction action;
    std::memset(&action, 0, sizeof action);
    action.sa_sigaction = handle;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
    // All signals wait while a handler runs: it may run with the guest's FS base.
    sigfillset(&action.sa_mask);
    if (sigaction(kAbort, &action, nullptr) != 0 || sigaction(kick_signal(), &action, nullptr) != 0) return false;
    if (!traps_return) {
        // It leaves for good, so that nothing would unblock what is blocked. A kick may come on top of it and returns;
        // other signals' handlers, if there are any, have to expect the guest's FS base on this thread in any case.
        sigemptyset(&action.sa_mask);
        action.sa_flags |= SA_NODEFER;
    }
    for (const int signal : kTrapSignals)
        if (sigaction(signal, &action, nullptr) != 0) return false;
    return true;
}

void remove_handlers() {
    for (const int signal : kTrapSignals) std::signal(signal, SIG_DFL);
    std::signal(kAbort, SIG_DFL);
    std::signal(kick_signal(), SIG_IGN);
    guest_context = nullptr;
}

} // namespace ringone::vmm::process
