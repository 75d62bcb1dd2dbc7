// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "vmm/launcher/pc_services.hpp"

#include <csignal>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace ringone::launcher {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
/// Output that is no whole line yet is shown after so long.
constexpr std::uint64_t kFlushAfterNs = 5'000'000;

} // namespace

bool PcServices::DebugOutput::put(std::uint8_t byte) {
    (void)!write(STDERR_FILENO, &byte, 1);
    return true;
}

PcServices::PcServices(vmm::ProcessWorld& world, std::uint64_t memory_bytes)
    : world_(world), wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), console_([this] {
          world_.kick();
          const std::uint64_t one = 1;
          (void)!write(wake_.get(), &one, sizeof one);
      }),
      platform_({memory_bytes, clock_, wall_clock_, console_, console_, debug_output_}),
      timer_(vmm::ProcessWorld::kick_signal()) {}

std::uint32_t PcServices::io_read(std::uint16_t port, std::uint32_t size) {
    ++counters_.io_reads;
    return platform_.io_read(port, size);
}

void PcServices::io_write(std::uint16_t port, std::uint32_t size, std::uint32_t value) {
    ++counters_.io_writes;
    platform_.io_write(port, size, value);
    if (!event_) event_ = platform_.event();
    set_timer();
}

std::uint32_t PcServices::mmio_read(std::uint32_t physical, std::uint32_t size) {
    ++counters_.mmio_reads;
    return platform_.mmio_read(physical, size);
}

void PcServices::mmio_write(std::uint32_t physical, std::uint32_t size, std::uint32_t value) {
    ++counters_.mmio_writes;
    platform_.mmio_write(physical, size, value);
}

std::uint8_t PcServices::acknowledge_interrupt() {
    const std::uint8_t vector = platform_.acknowledge_interrupt();
    set_timer(); // a tick that was waiting for this one may follow
    return vector;
}

void PcServices::poll() {
    ++counters_.polls;
    platform_.advance(clock_.now_ns());
    if (console_.take_break()) platform_.send_serial_break();
    platform_.poll_serial();
    console_.flush();
    if (!event_) event_ = platform_.event();
    set_timer();
}

/// Sees to it that a signal comes at the next deadline. A signal too many does no harm, and setting the timer costs
/// a system call: one that is set for an earlier time is left alone.
void PcServices::set_timer() {
    const devices::Deadline device = platform_.next_deadline_ns();
    if (!device && !console_.unflushed()) return;
    const std::uint64_t now = clock_.now_ns();
    std::uint64_t deadline = device.value_or(now + kFlushAfterNs);
    if (console_.unflushed()) deadline = std::min(deadline, now + kFlushAfterNs);
    if (armed_for_ns_ > now && armed_for_ns_ <= deadline) return;
    const std::uint64_t ns = deadline > now ? deadline - now : 1;
    armed_for_ns_ = now + ns;
    timer_.set(ns);
    ++counters_.timer_settings;
}

void PcServices::wait(bool wakeable) {
    if (!wakeable) {
        halted_for_ever_ = true;
        return;
    }
    console_.flush();
    const std::uint64_t now = clock_.now_ns();
    const devices::Deadline deadline = platform_.next_deadline_ns();
    const std::uint64_t ns = !deadline ? 0 : *deadline > now ? *deadline - now : 0;
    if (!deadline || ns != 0) {
        // The timer's signal ends the sleep where it is set early enough: a timeout would be a second timer. Blocked until
        // ppoll() waits for it, it cannot come too early and be missed.
        const bool timer_wakes = deadline && armed_for_ns_ > now && armed_for_ns_ <= *deadline;
        const timespec timeout{static_cast<time_t>(ns / kSecond), static_cast<long>(ns % kSecond)};
        sigset_t blocked, before;
        sigemptyset(&blocked);
        sigaddset(&blocked, vmm::ProcessWorld::kick_signal());
        pthread_sigmask(SIG_BLOCK, &blocked, &before);
        if (!world_.kicked()) {
            pollfd wake{wake_.get(), POLLIN, 0};
            ++counters_.sleeps;
            ppoll(&wake, 1, deadline && !timer_wakes ? &timeout : nullptr, &before);
            counters_.slept_ns += clock_.now_ns() - now;
        }
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
    }
    std::uint64_t count = 0;
    (void)!read(wake_.get(), &count, sizeof count);
}

} // namespace ringone::launcher
