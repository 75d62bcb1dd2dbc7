// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <ctime>
#include <system_error>
#include <unistd.h>

namespace ringone::launcher {

/// Sends this thread a signal at a time: what brings the monitor back from guest code that never leaves its fragments.
class KickTimer {
public:
    explicit KickTimer(int signal) {
        sigevent event{};
        event.sigev_notify = SIGEV_THREAD_ID;
        event.sigev_signo = signal;
        event._sigev_un._tid = gettid();
        if (timer_create(CLOCK_MONOTONIC, &event, &timer_) != 0) 
            throw std::system_error(errno, std::generic_category(), "cannot make a timer");
    }
    ~KickTimer() { timer_delete(timer_); }
    KickTimer(const KickTimer&) = delete;
    KickTimer& operator=(const KickTimer&) = delete;

    /// One signal in `ns` nanoseconds, instead of what was set before.
    void set(std::uint64_t ns) {
        constexpr std::uint64_t kSecond = 1'000'000'000;
        itimerspec time{};
        time.it_value.tv_sec = static_cast<time_t>(ns / kSecond);
        time.it_value.tv_nsec = static_cast<long>(ns % kSecond);
        if (ns == 0) time.it_value.tv_nsec = 1; // zero would disarm it
        timer_settime(timer_, 0, &time, nullptr);
    }

private:
    timer_t timer_{};
};

} // namespace ringone::launcher
