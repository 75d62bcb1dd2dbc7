// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include <cstdint>

namespace ringone::launcher {

/// Finds the user's commands to RingOne in what is typed: Ctrl-A and a letter.
class EscapeFilter {
public:
    enum class Meaning : std::uint8_t {
        byte,  ///< for the guest
        begun, ///< Ctrl-A: the next byte tells
        leave, ///< Ctrl-A x
        help,  ///< Ctrl-A h, or ?
        send_break, ///< Ctrl-A b
        unknown, ///< Ctrl-A and anything else: dropped
    };
    static constexpr std::uint8_t kEscape = 0x01;

    [[nodiscard]] Meaning feed(std::uint8_t byte) {
        if (!escaped_) {
            escaped_ = byte == kEscape;
            return escaped_ ? Meaning::begun : Meaning::byte;
        }
        escaped_ = false;
        switch (byte) {
        case kEscape: return Meaning::byte;
        case 'x':
        case 'X': return Meaning::leave;
        case 'h':
        case 'H':
        case '?': return Meaning::help;
        case 'b':
        case 'B': return Meaning::send_break;
        default: return Meaning::unknown;
        }
    }

private:
    bool escaped_ = false;
};

} // namespace ringone::launcher
