// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "translator/site_hints.hpp"

#include <gtest/gtest.h>

namespace ringone::tests {
namespace {

using namespace translator;

constexpr std::uint32_t kSite = 0xC0101234;

Instruction one_byte(std::uint8_t byte) {
    Instruction instruction;
    instruction.bytes[0] = byte;
    instruction.info.length = 1;
    return instruction;
}

const Instruction kInstruction = one_byte(0xA4);

/// Traps until the hint changes; how many that took.
std::uint32_t trap(SiteHints& hints, std::uint32_t linear, bool wrapped) {
    std::uint32_t n = 1;
    while (!hints.trapped(linear, kInstruction, wrapped) && n < 1000) ++n;
    return n;
}

TEST(SiteHints, a_hint_takes_several_traps) {
    SiteHints hints;
    EXPECT_EQ(trap(hints, kSite, false), SiteHints::kTrapsToHint);
    EXPECT_EQ(hints.at(kSite, kInstruction), SiteHint::callout);
    EXPECT_EQ(hints.at(kSite + 1, kInstruction), SiteHint::none);
    EXPECT_EQ(trap(hints, kSite + 1, true), SiteHints::kTrapsToHint);
    EXPECT_EQ(hints.at(kSite + 1, kInstruction), SiteHint::wraps);
}

TEST(SiteHints, what_traps_with_one_hint_gets_the_other) {
    SiteHints hints;
    (void)trap(hints, kSite, true);
    (void)trap(hints, kSite, true);
    EXPECT_EQ(hints.at(kSite, kInstruction), SiteHint::callout);
}

TEST(SiteHints, another_instruction_at_the_address_has_none) {
    SiteHints hints;
    (void)trap(hints, kSite, false);
    EXPECT_EQ(hints.at(kSite, one_byte(0xA5)), SiteHint::none);
}

TEST(SiteHints, a_callout_is_doubted_after_a_while) {
    SiteHints hints;
    (void)trap(hints, kSite, false);
    for (std::uint32_t n = 1; n < SiteHints::kCalloutsToDoubt; ++n) ASSERT_FALSE(hints.called_out(kSite)) << n;
    EXPECT_TRUE(hints.called_out(kSite));
    EXPECT_EQ(hints.at(kSite, kInstruction), SiteHint::none);
}

TEST(SiteHints, an_address_with_the_same_place_takes_it_over) {
    SiteHints hints;
    std::uint32_t other = kSite + 1;
    (void)trap(hints, kSite, false);
    while (hints.at(kSite, kInstruction) != SiteHint::none) (void)hints.trapped(other++, kInstruction, false);
    // The loser's callout is not counted for the winner, and ends at once.
    EXPECT_TRUE(hints.called_out(kSite));
    EXPECT_GT(trap(hints, other - 1, false), 1U);
    EXPECT_EQ(hints.at(other - 1, kInstruction), SiteHint::callout);
}

} // namespace
} // namespace ringone::tests
