// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include <cstdint>

namespace ringone::devices {

/// A frequency derived from a PC's 14.31818 MHz (315/22 MHz) crystal, as an exact fraction: ticks = ns * kNumerator /
/// kDenominator. Exact, so that a counter never drifts against virtual time.
template <std::uint64_t kNumerator, std::uint64_t kDenominator>
struct CrystalFrequency {
    [[nodiscard]] static constexpr std::uint64_t ticks(std::uint64_t ns) {
        // Split so that the product fits for as long as the nanoseconds do.
        return ns / kDenominator * kNumerator + ns % kDenominator * kNumerator / kDenominator;
    }
    /// The first nanosecond at which ticks() has reached `tick`.
    [[nodiscard]] static constexpr std::uint64_t ns(std::uint64_t tick) {
        const std::uint64_t whole = tick / kNumerator * kDenominator;
        return whole + (tick % kNumerator * kDenominator + kNumerator - 1) / kNumerator;
    }
};

/// 1.193182 MHz, the crystal by 12: the 8254's clock.
using TimerFrequency = CrystalFrequency<105, 88'000>;
/// 3.579545 MHz, the crystal by 4: the ACPI PM timer's clock.
using PmTimerFrequency = CrystalFrequency<315, 88'000>;

} // namespace ringone::devices
