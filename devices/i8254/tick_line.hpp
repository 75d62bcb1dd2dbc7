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
/// the guest gets work done between them. While the guest keeps the input masked there is no backlog: it does not count.
/// A short mask is something else: Linux masks the line of an 8259A's interrupt while it handles it.
class TickLine {
public:
    /// Beyond this many owed ticks (10 s of 1000 Hz) the guest has been stopped, not slow.
    static constexpr std::uint64_t kLargestBacklog = 10'000;

    /// Late edges are at least this far apart, whatever the guest programmed.
    static constexpr std::uint64_t kShortestGapNs = 10'000;

    /// A mask that is found again and again for so long is meant to stay.
    static constexpr std::uint64_t kShortMaskNs = 1'000'000'000;

    /// The more is owed, the closer late edges come, down to this: on a busy host the guest runs for a part of the time
    /// only, and in that part it must get the ticks of all of it.
    static constexpr std::uint64_t kHurriedGapNs = 100'000;
    /// So many owed edges halve the gap.
    static constexpr std::uint64_t kHurryFrom = 4;

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
    [[nodiscard]] bool is_kept_masked(std::uint64_t now_ns);

    InterruptInput& input_;
    Deadline masked_since_ns_; ///< when it was first found masked, if it has not been found unmasked since
    std::uint64_t backlog_ = 0;
    std::uint64_t gap_ns_ = 0;
    std::uint64_t earliest_ns_ = 0; ///< of the next late edge
    bool late_ = false;             ///< the edges owed have waited
    TickCounters counters_{};
};

} // namespace ringone::devices
