// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "tests/guests/guest_machine.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace ringone::tests {

/// Remembers what only the monitor writes in its zone, and finds what a guest has written there.
class ZoneGuard {
public:
    /// What attacking guests write (guest.inc): never an immediate of theirs, so that it is not in their translations.
    static constexpr std::uint32_t kMagic = 0xA77AC4ED;

    explicit ZoneGuard(vmm::ProcessWorld& world);
    /// Empty, or what is not as the monitor left it. Looks at all of the zone but the GS area's slots for guest
    /// registers and operands, which hold the pattern by right.
    [[nodiscard]] std::string damage() const;

private:
    [[nodiscard]] std::vector<std::uint8_t> gate() const;

    vmm::ProcessWorld& world_;
    std::vector<std::uint8_t> gate_;
};

} // namespace ringone::tests
