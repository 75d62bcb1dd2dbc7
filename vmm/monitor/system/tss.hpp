// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include <cstdint>

namespace ringone::vmm {

/// Offsets in a 32-bit task-state segment, SDM Vol. 3 figure 7-2.
namespace tss32 {
inline constexpr std::uint32_t kEsp0 = 0x04;
inline constexpr std::uint32_t kStackStride = 8;
inline constexpr std::uint32_t kCr3 = 0x1C;
inline constexpr std::uint32_t kEip = 0x20;
inline constexpr std::uint32_t kEflags = 0x24;
inline constexpr std::uint32_t kEax = 0x28;
inline constexpr std::uint32_t kEs = 0x48;
inline constexpr std::uint32_t kLdt = 0x60;
inline constexpr std::uint32_t kDebugTrap = 0x64;
inline constexpr std::uint32_t kIoMapBase = 0x66;
inline constexpr std::uint32_t kBytes = 0x68;
inline constexpr std::uint32_t kSegments = 6; ///< ES CS SS DS FS GS
} // namespace tss32

/// Offsets in a 16-bit task-state segment, SDM Vol. 3 figure 7-10.
namespace tss16 {
inline constexpr std::uint32_t kSp0 = 0x02;
inline constexpr std::uint32_t kStackStride = 4;
inline constexpr std::uint32_t kIp = 0x0E;
inline constexpr std::uint32_t kFlags = 0x10;
inline constexpr std::uint32_t kAx = 0x12;
inline constexpr std::uint32_t kEs = 0x22;
inline constexpr std::uint32_t kLdt = 0x2A;
inline constexpr std::uint32_t kBytes = 0x2C;
inline constexpr std::uint32_t kSegments = 4; ///< ES CS SS DS
} // namespace tss16

/// The link to the interrupted task, first field of both formats.
inline constexpr std::uint32_t kTssBackLink = 0;

} // namespace ringone::vmm
