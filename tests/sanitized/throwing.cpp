// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "tests/sanitized/faults.hpp"

#include <stdexcept>

namespace ringone::sanitized {

int throw_from(int depth) {
    int frame[24] = {};
    int* shown = frame;
    asm volatile("" : "+r"(shown) : : "memory");
    {
        bool small = depth == 0;
        bool* shown_small = &small;
        asm volatile("" : "+r"(shown_small) : : "memory");
        if (*shown_small) throw std::runtime_error("at the bottom");
    }
    return throw_from(depth - 1) + shown[depth % 24];
}

} // namespace ringone::sanitized
