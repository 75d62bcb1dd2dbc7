// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "devices/backend/host_clock.hpp"

#include <chrono>

namespace ringone::devices {

namespace {

template <typename HostClockType>
std::int64_t nanoseconds() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(HostClockType::now().time_since_epoch()).count();
}

} // namespace

HostClock::HostClock() : start_ns_(nanoseconds<std::chrono::steady_clock>()) {}

std::uint64_t HostClock::now_ns() const {
    return static_cast<std::uint64_t>(nanoseconds<std::chrono::steady_clock>() - start_ns_);
}

std::int64_t HostWallClock::unix_time_ns() const {
    return nanoseconds<std::chrono::system_clock>();
}

} // namespace ringone::devices
