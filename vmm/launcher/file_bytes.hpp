// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ringone::launcher {

/// All bytes of a file. `what` names its part in messages ("kernel"). Throws UserError when it cannot be read
/// or has more than `most` bytes.
[[nodiscard]] std::vector<std::uint8_t> read_file(const std::string& path, const char* what,
                                                  std::uint64_t most);

} // namespace ringone::launcher
