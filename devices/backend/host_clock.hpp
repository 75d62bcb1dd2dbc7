// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "devices/base/clock.hpp"

namespace ringone::devices {

/// Virtual time as the host's monotonic clock, from construction on.
class HostClock final : public Clock {
public:
    HostClock();
    [[nodiscard]] std::uint64_t now_ns() const override;

private:
    std::int64_t start_ns_;
};

/// The host's system clock.
class HostWallClock final : public WallClock {
public:
    [[nodiscard]] std::int64_t unix_time_ns() const override;
};

} // namespace ringone::devices
