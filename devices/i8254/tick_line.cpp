// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "devices/i8254/tick_line.hpp"

#include <algorithm>

namespace ringone::devices {

void TickLine::pulse() {
    input_.set_level(false);
    input_.set_level(true);
    ++counters_.delivered;
}

bool TickLine::is_kept_masked(std::uint64_t now_ns) {
    if (!input_.masked()) {
        masked_since_ns_.reset();
    } else if (!masked_since_ns_) {
        masked_since_ns_ = now_ns;
    }
    return masked_since_ns_ && now_ns - *masked_since_ns_ >= kShortMaskNs;
}

void TickLine::tick(std::uint64_t edges, std::uint64_t gap_ns, std::uint64_t now_ns) {
    if (edges == 0) {
        return;
    }
    gap_ns_ = gap_ns;
    if (is_kept_masked(now_ns)) {
        restart();
        pulse();
        return;
    }
    late_ = late_ || backlog_ != 0 || edges > 1;
    const std::uint64_t taken = std::min(edges, kLargestBacklog - backlog_);
    backlog_ += taken;
    counters_.lost += edges - taken;
    service(now_ns);
}

void TickLine::service(std::uint64_t now_ns) {
    if (backlog_ == 0 || now_ns < earliest_ns_) {
        return;
    }
    std::uint64_t gap_ns = gap_ns_;
    if (!input_.request_pending()) {
        pulse();
        counters_.late += late_ ? 1 : 0;
        --backlog_;
        late_ = backlog_ != 0;
        gap_ns = std::min(gap_ns, std::max(gap_ns / (1 + backlog_ / kHurryFrom), kHurriedGapNs));
    } else {
        late_ = true;
    }
    // Looked at again only after the gap: a guest with interrupts off must not cost a wake-up each nanosecond.
    earliest_ns_ = now_ns + std::max(gap_ns, kShortestGapNs);
}

void TickLine::restart() {
    backlog_ = 0;
    earliest_ns_ = 0;
    late_ = false;
}

Deadline TickLine::next_deadline_ns() const {
    return backlog_ == 0 ? std::nullopt : Deadline(earliest_ns_);
}

} // namespace ringone::devices
