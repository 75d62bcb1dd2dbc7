// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include <cstdint>

namespace ringone::translator {

/// What experience says of a guest instruction whose accesses trap again and again.
enum class SiteHint : std::uint8_t {
    none,
    wraps,   ///< its offset lies so high that the address wraps at 4 GiB: thread-local data below its segment's base
    callout, ///< device memory, the monitor's zone, traced pages: cheaper emulated at once than after a trap
};

/// Adaptive translation: counts traps by guest-linear address of the instruction. A hint only ever costs time, so
/// different programs may share one, and an entry may be lost to another address.
class SiteHints {
public:
    static constexpr std::uint32_t kSites = 1024;
    static constexpr std::uint16_t kTrapsToHint = 8;
    /// A callout hint is given up after so many, to see whether the accesses still trap.
    static constexpr std::uint16_t kCalloutsToDoubt = 256;

    [[nodiscard]] SiteHint at(std::uint32_t linear) const {
        const Site& site = slot(linear);
        return site.linear == linear ? site.hint : SiteHint::none;
    }

    /// An access of the instruction trapped; `wrapped`: for its address only. True when its hint has changed.
    [[nodiscard]] bool trapped(std::uint32_t linear, bool wrapped) {
        Site& site = slot(linear);
        if (site.linear != linear) site = {linear, 0, SiteHint::none};
        if (++site.count < kTrapsToHint) return false;
        site.count = 0;
        // What traps with one hint needs the other one.
        site.hint = wrapped && site.hint == SiteHint::none ? SiteHint::wraps : SiteHint::callout;
        return true;
    }

    /// The instruction was called out for its hint. True when that ends now.
    [[nodiscard]] bool called_out(std::uint32_t linear) {
        Site& site = slot(linear);
        if (site.linear == linear && ++site.count < kCalloutsToDoubt) return false;
        if (site.linear == linear) site = {linear, 0, SiteHint::none};
        return true;
    }

private:
    struct Site {
        std::uint32_t linear = 0;
        std::uint16_t count = 0;
        SiteHint hint = SiteHint::none;
    };

    [[nodiscard]] static std::uint32_t index(std::uint32_t linear) { return (linear ^ linear >> 10U) % kSites; }
    [[nodiscard]] const Site& slot(std::uint32_t linear) const { return sites_[index(linear)]; }
    [[nodiscard]] Site& slot(std::uint32_t linear) { return sites_[index(linear)]; }

    Site sites_[kSites];
};

} // namespace ringone::translator
