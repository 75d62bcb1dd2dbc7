// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include <cstdint>

namespace ringone::vmm {

/// DR6 and DR7, SDM Vol. 3 sections 17.2.3, 17.2.4.
namespace dr6 {
inline constexpr std::uint32_t kGeneralDetect = 1U << 13;
inline constexpr std::uint32_t kSingleStep = 1U << 14;
inline constexpr std::uint32_t kTaskSwitch = 1U << 15;
inline constexpr std::uint32_t kWritable = 0x0000'E00F;
inline constexpr std::uint32_t kFixed = 0xFFFF'0FF0;
} // namespace dr6
namespace dr7 {
inline constexpr std::uint32_t kLocalEnables = 0x155; ///< L0..L3 and LE: a task switch clears them
inline constexpr std::uint32_t kGeneralDetect = 1U << 13;
inline constexpr std::uint32_t kWritable = 0xFFFF'23FF;
inline constexpr std::uint32_t kFixed = 0x400;
} // namespace dr7

} // namespace ringone::vmm
