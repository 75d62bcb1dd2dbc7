// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "translator/decoder.hpp"

#include <cstdint>

namespace ringone::translator {

/// What experience says of a guest instruction whose accesses trap again and again.
enum class SiteHint : std::uint8_t {
    none,
    wraps,   ///< its offset lies so high that the address wraps at 4 GiB: thread-local data below its segment's base
    callout, ///< device memory, the monitor's zone, traced pages: cheaper emulated at once than after a trap
};

/// Adaptive translation: counts traps by guest-linear address and bytes of the instruction. A hint only ever costs
/// time, so different programs may share one, and an entry may be lost to another address.
class SiteHints {
public:
    static constexpr std::uint32_t kSites = 1024;
    static constexpr std::uint16_t kTrapsToHint = 8;
    /// A callout hint is given up after so many, to see whether the accesses still trap.
    static constexpr std::uint16_t kCalloutsToDoubt = 256;

    [[nodiscard]] SiteHint at(std::uint32_t linear, const Instruction& instruction) const {
        const Site& site = slot(linear);
        return site.hint != SiteHint::none && site.is(linear, instruction) ? site.hint : SiteHint::none;
    }

    /// An access of the instruction trapped; `wrapped`: for its address only. True when its hint has changed.
    [[nodiscard]] bool trapped(std::uint32_t linear, const Instruction& instruction, bool wrapped) {
        Site& site = slot(linear);
        if (!site.is(linear, instruction)) site = {linear, fingerprint(instruction), 0, SiteHint::none};
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
        if (site.linear == linear) site = {};
        return true;
    }

private:
    /// FNV-1a (Fowler, Noll, Vo) of the bytes.
    [[nodiscard]] static std::uint32_t fingerprint(const Instruction& instruction) {
        std::uint32_t hash = 0x811C9DC5;
        for (std::uint32_t i = 0; i < instruction.length(); ++i) hash = (hash ^ instruction.bytes[i]) * 0x01000193U;
        return hash;
    }

    struct Site {
        std::uint32_t linear = 0;
        std::uint32_t bytes = 0;
        std::uint16_t count = 0;
        SiteHint hint = SiteHint::none;

        [[nodiscard]] bool is(std::uint32_t at, const Instruction& instruction) const {
            return linear == at && bytes == fingerprint(instruction);
        }
    };

    [[nodiscard]] static std::uint32_t index(std::uint32_t linear) { return (linear ^ linear >> 10U) % kSites; }
    [[nodiscard]] const Site& slot(std::uint32_t linear) const { return sites_[index(linear)]; }
    [[nodiscard]] Site& slot(std::uint32_t linear) { return sites_[index(linear)]; }

    Site sites_[kSites];
};

} // namespace ringone::translator
