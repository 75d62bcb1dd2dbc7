// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include <cstdint>
#include <optional>

namespace ringone::devices {

/// Where a device's output bytes go.
class ByteSink {
public:
    /// False: no room now, the byte was not taken; offer it again later.
    [[nodiscard]] virtual bool put(std::uint8_t byte) = 0;

protected:
    ~ByteSink() = default;
};

/// Where a device's input bytes come from. A byte stays with the source until the device has room for it.
class ByteSource {
public:
    /// The next byte, or nothing when there is none at the moment.
    [[nodiscard]] virtual std::optional<std::uint8_t> get() = 0;

protected:
    ~ByteSource() = default;
};

} // namespace ringone::devices
