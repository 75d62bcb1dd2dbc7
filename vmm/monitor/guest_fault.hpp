// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include <cstdint>
#include <optional>

namespace ringone::vmm {

/// Exception vectors, SDM Vol. 3 table 6-1.
namespace vector {
inline constexpr std::uint8_t kDivideError = 0;
inline constexpr std::uint8_t kDebug = 1;
inline constexpr std::uint8_t kNmi = 2;
inline constexpr std::uint8_t kBreakpoint = 3;
inline constexpr std::uint8_t kOverflow = 4;
inline constexpr std::uint8_t kBoundRange = 5;
inline constexpr std::uint8_t kInvalidOpcode = 6;
inline constexpr std::uint8_t kDeviceNotAvailable = 7;
inline constexpr std::uint8_t kDoubleFault = 8;
inline constexpr std::uint8_t kInvalidTss = 10;
inline constexpr std::uint8_t kSegmentNotPresent = 11;
inline constexpr std::uint8_t kStackFault = 12;
inline constexpr std::uint8_t kGeneralProtection = 13;
inline constexpr std::uint8_t kPageFault = 14;
inline constexpr std::uint8_t kX87Error = 16;
inline constexpr std::uint8_t kAlignmentCheck = 17;
inline constexpr std::uint8_t kSimdError = 19;
} // namespace vector

/// A fault the guest is to see. `cr2` counts for page faults only (guest-linear address).
struct GuestFault {
    std::uint8_t vector = 0;
    bool has_error_code = false;
    std::uint32_t error_code = 0;
    std::uint32_t cr2 = 0;

    [[nodiscard]] static constexpr GuestFault plain(std::uint8_t v) { return {v, false, 0, 0}; }
    [[nodiscard]] static constexpr GuestFault with_code(std::uint8_t v, std::uint32_t code) { return {v, true, code, 0}; }
    [[nodiscard]] static constexpr GuestFault page(std::uint32_t address, std::uint32_t code) {
        return {vector::kPageFault, true, code, address};
    }
};

/// Nothing, or the fault that ended the operation.
using MaybeFault = std::optional<GuestFault>;

} // namespace ringone::vmm
