// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "devices/base/clock.hpp"
#include "devices/base/line.hpp"

#include <cstdint>

namespace ringone::devices {

struct TickCounters {
    std::uint64_t delivered; ///< edges driven into the interrupt controller
    std::uint64_t late;      ///< of these, delivered after their own time
    std::uint64_t lost;      ///< beyond the backlog's bound
};

/// Drives timer edges into an interrupt input so that none is lost on a guest that is slow to take them: an edge that
/// comes while the former request is still pending waits in a bounded backlog. Late edges are spaced by `gap`, so that
/// the guest gets work done between them. While the guest masks the input there is no backlog: it does not count.
class TickLine {
public:
    /// Beyond this many owed ticks (10 s of 1000 Hz) the guest has been stopped, not slow.
    static constexpr std::uint64_t kLargestBacklog = 10'000;

    /// Late edges are at least this far apart, whatever the guest programmed.
    static constexpr std::uint64_t kShortestGapNs = 10'000;

    explicit TickLine(InterruptInput& input) : input_(input) {}

    /// `edges` rising edges have come up to `now_ns`; late ones are to be `gap_ns` apart.
    void tick(std::uint64_t edges, std::uint64_t gap_ns, std::uint64_t now_ns);
    /// Delivers what is owed, if it is time.
    void service(std::uint64_t now_ns);
    /// The timer has been set up anew: what it owed is no longer wanted.
    void restart();

    [[nodiscard]] Deadline next_deadline_ns() const;
    [[nodiscard]] std::uint64_t backlog() const { return backlog_; }
    [[nodiscard]] const TickCounters& counters() const { return counters_; }

private:
    void pulse();

    InterruptInput& input_;
    std::uint64_t backlog_ = 0;
    std::uint64_t gap_ns_ = 0;
    std::uint64_t earliest_ns_ = 0; ///< of the next late edge
    bool late_ = false;             ///< the edges owed have waited
    TickCounters counters_{};
};

} // namespace ringone::devices
