// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace ringone::launcher {

/// The little-endian value at `offset`; the bytes must be there.
template <typename T>
[[nodiscard]] T little(std::span<const std::uint8_t> bytes, std::size_t offset) {
    T value{};
    std::memcpy(&value, bytes.subspan(offset, sizeof value).data(),
                sizeof value); // x86 hosts only: same order
    return value;
}

template <typename T>
void set_little(std::span<std::uint8_t> bytes, std::size_t offset, T value) {
    std::memcpy(bytes.subspan(offset, sizeof value).data(), &value, sizeof value);
}

template <typename T>
void append_little(std::vector<std::uint8_t>& bytes, T value) {
    bytes.resize(bytes.size() + sizeof value);
    set_little(std::span(bytes), bytes.size() - sizeof value, value);
}

} // namespace ringone::launcher
