// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include <cstdint>

namespace ringone::devices {

/// The low eight bits, as a device register holds them.
[[nodiscard]] constexpr std::uint8_t low_byte(std::uint32_t value) {
    return static_cast<std::uint8_t>(value & 0xFFU);
}

[[nodiscard]] constexpr std::uint8_t byte_of(std::uint32_t value, std::uint32_t index) {
    return low_byte(value >> (8U * index));
}

[[nodiscard]] constexpr std::uint16_t low_word(std::uint32_t value) {
    return static_cast<std::uint16_t>(value & 0xFFFFU);
}

/// All ones for an access of `size` bytes (1, 2 or 4): what an undriven bus reads as.
[[nodiscard]] constexpr std::uint32_t all_ones(std::uint32_t size) {
    return size >= 4 ? 0xFFFF'FFFFU : (1U << (8U * size)) - 1U;
}

/// Packed binary-coded decimal, two digits.
[[nodiscard]] constexpr std::uint8_t to_bcd(std::uint32_t value) {
    return low_byte(((value / 10U) % 10U) << 4U | value % 10U);
}

[[nodiscard]] constexpr std::uint32_t from_bcd(std::uint32_t value) {
    return (value >> 4U & 0xFU) * 10U + (value & 0xFU);
}

} // namespace ringone::devices
