// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include <algorithm>
#include <cstdint>

namespace ringone::translator {

/// Guest-linear addresses where no block goes on: an instruction there begins one of its own, so that the monitor can
/// come between (breakpoints). Those touched last are kept: a debugger's breakpoints come and go with its program.
class CutPoints {
public:
    static constexpr std::uint32_t kPoints = 8; ///< a guest has four breakpoints at a time

    [[nodiscard]] bool has(std::uint32_t linear) const {
        return std::find(points_, points_ + count_, linear) != points_ + count_;
    }
    /// Makes it the youngest one. True when it was there already.
    bool touch(std::uint32_t linear) {
        std::uint32_t* at = std::find(points_, points_ + count_, linear);
        const bool known = at != points_ + count_;
        if (!known && count_ < kPoints) ++count_;
        if (!known && at == points_ + kPoints) --at; // the oldest goes
        std::copy_backward(points_, at, at + 1);
        points_[0] = linear;
        return known;
    }

private:
    std::uint32_t points_[kPoints] = {};
    std::uint32_t count_ = 0;
};

} // namespace ringone::translator
