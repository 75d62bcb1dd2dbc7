// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

namespace ringone::devices {

inline constexpr std::uint64_t kNanosecondsPerSecond = 1'000'000'000;

/// The machine's virtual time, in nanoseconds since it was started. Never goes back.
class Clock {
public:
    [[nodiscard]] virtual std::uint64_t now_ns() const = 0;

protected:
    ~Clock() = default;
};

/// The wall clock that a real-time clock shows, in nanoseconds since 1970-01-01 00:00 UTC. May step.
class WallClock {
public:
    [[nodiscard]] virtual std::int64_t unix_time_ns() const = 0;

protected:
    ~WallClock() = default;
};

/// A point of virtual time at which a device wants advance() to be called; none: nothing to wait for.
using Deadline = std::optional<std::uint64_t>;

[[nodiscard]] constexpr Deadline earlier_of(Deadline a, Deadline b) {
    if (!a || !b) {
        return a ? a : b;
    }
    return std::min(*a, *b);
}

} // namespace ringone::devices
