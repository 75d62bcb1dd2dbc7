// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include <cstdint>

namespace ringone::devices {

/// A key by its make code in scan code set 1, as Linux, VNC's QEMU extension and most hosts number PC keys.
struct KeyCode {
    std::uint8_t set1; ///< 0x01-0x7F
    bool extended;     ///< preceded by 0xE0

    friend bool operator==(const KeyCode&, const KeyCode&) = default;
};

/// Pause has a make sequence of its own and no break.
inline constexpr KeyCode kPauseKey{0x45, true};

} // namespace ringone::devices
