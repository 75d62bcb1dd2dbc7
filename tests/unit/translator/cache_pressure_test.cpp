// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
//
// The translation cache where something runs out: code memory, fragments, links, side entries, stub room.
#include "tests/unit/translator/translator_machine.hpp"
#include "tests/unit/translator/verifier.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>

namespace ringone::tests {
namespace {

using namespace translator;

constexpr std::uint32_t kPage = FakeGuest::kPage;
constexpr std::uint32_t kSpacing = 32;
constexpr std::uint32_t kStart = 0x100000;
constexpr std::uint32_t kTiny = 8 * 32768 + 1024; ///< units of about 32 KiB
constexpr std::uint32_t kLarge = 8U << 20U;

std::uint32_t unit_of(FragmentId id) { return id / TranslationCache::kFragmentsPerUnit; }

class Pressure : public testing::Test {
protected:
    void open(std::uint32_t code_bytes) {
        Options options;
        options.fall_through = false;
        machine_ = std::make_unique<TranslatorMachine>(options, code_bytes);
    }
    TranslationCache& cache() { return machine_->cache(); }
    /// Translates `code` at the n-th place.
    FragmentId make(std::uint32_t n, std::span<const std::uint8_t> code) {
        const std::uint32_t eip = kStart + n * kSpacing;
        machine_->guest.put(eip, code);
        return machine_->translate(eip);
    }
    /// Translates `code` at place after place until unit 0 is full: how many fragments that took.
    std::uint32_t fill_first_unit(std::span<const std::uint8_t> code) {
        std::uint32_t n = 0;
        while (unit_of(make(n, code)) == 0) ++n;
        return n;
    }
    bool lives(std::uint32_t n) {
        return cache().find(kStart + n * kSpacing, cache().intern(machine_->context)) != kNone;
    }

    std::unique_ptr<TranslatorMachine> machine_;
};

constexpr std::uint8_t kOneLink[] = {0x43, 0xEB, 0xFD};             // INC; JMP
constexpr std::uint8_t kTwoLinks[] = {0x75, 0x01, 0x43, 0xEB, 0xFB}; // JNZ
constexpr std::uint8_t kManySides[] = {0x43, 0x43, 0x43, 0x43, 0x43, 0x43, 0x43, 0x43, 0x43,
                                       0x43, 0x43, 0x43, 0x43, 0x43, 0x43, 0xEB, 0xEF}; // 15 INC; JMP

TEST_F(Pressure, the_oldest_unit_goes_first) {
    open(kTiny);
    std::uint32_t n = 0;
    std::map<std::uint32_t, std::uint32_t> unit; // where each block went
    for (; cache().counters().evicted_units == 0; ++n) unit[n] = unit_of(make(n, kOneLink));
    const std::uint32_t last = n - 1; // the first that did not fit
    EXPECT_EQ(unit[last], 0U);
    std::uint32_t gone = 0;
    for (std::uint32_t i = 0; i < last; ++i) {
        EXPECT_EQ(lives(i), unit[i] != 0) << i;
        if (unit[i] == 0) ++gone;
    }
    EXPECT_TRUE(lives(last));
    EXPECT_EQ(cache().counters().evicted_fragments, gone);
    // Second round: unit 1 is next.
    for (; cache().counters().evicted_units == 1; ++n) unit[n] = unit_of(make(n, kOneLink));
    EXPECT_EQ(unit[n - 1], 1U);
    for (std::uint32_t i = 0; i < last; ++i) EXPECT_EQ(lives(i), unit[i] > 1) << i;
}

TEST_F(Pressure, eviction_cuts_what_led_there) {
    open(kTiny);
    const FragmentId victim = make(0, kOneLink);
    cache().activate(cache().intern(machine_->context));
    cache().make_indirect_target(victim);
    GsArea& gs = machine_->gs();
    const std::uint32_t eip = kStart & kDispatchMask;
    EXPECT_NE(gs.indirect_table[0][eip], cache().indirect_miss());
    gs.return_cache[0][7] = cache().fragment(victim).ccf + 1; // a landing in it
    std::uint32_t n = 1;
    while (unit_of(make(n, kOneLink)) != 3) ++n;
    const FragmentId survivor = machine_->translate(kStart + n * kSpacing);
    const LinkId exit = cache().fragment(survivor).link_first;
    const std::uint32_t field = cache().link(exit).field;
    cache().chain(exit, victim);
    cache().chain(cache().fragment(victim).link_first, survivor); // and one the other way
    while (cache().counters().evicted_units == 0) (void)make(++n, kOneLink);
    EXPECT_EQ(cache().fragment(survivor).incoming, kNone);
    EXPECT_EQ(cache().link(exit).to, kNone);
    EXPECT_EQ(field + 4 + machine_->word_at(field), cache().link(exit).stub);
    EXPECT_EQ(gs.indirect_table[0][eip], cache().indirect_miss());
    EXPECT_EQ(gs.return_cache[0][7], cache().return_miss(0));
    EXPECT_FALSE(Verifier(cache()).check(survivor).size() > 0);
}

TEST_F(Pressure, fragments_run_out) {
    open(kLarge);
    EXPECT_EQ(fill_first_unit(kOneLink), TranslationCache::kFragmentsPerUnit);
}

TEST_F(Pressure, links_run_out) {
    open(kLarge);
    // A dead fragment takes a third link: without that, fragments would run out at the same time.
    std::uint32_t n = 0;
    for (; unit_of(make(n, kTwoLinks)) == 0; ++n) {
        const std::uint32_t eip = kStart + n * kSpacing;
        ASSERT_EQ(cache().invalidate(eip / kPage, eip % kPage, eip % kPage), 1U);
        ASSERT_EQ(cache().counters().evicted_units, 0U);
    }
    EXPECT_LE(3 * n, TranslationCache::kLinksPerUnit);
    EXPECT_GT(3 * (n + 3), TranslationCache::kLinksPerUnit);
}

TEST_F(Pressure, side_entries_run_out) {
    open(kLarge);
    const std::uint32_t n = fill_first_unit(kManySides);
    const std::uint32_t entries = cache().fragment(0).side_count;
    EXPECT_LE(n * entries, TranslationCache::kSideEntriesPerUnit);
    EXPECT_GT((n + 16) * entries, TranslationCache::kSideEntriesPerUnit);
    EXPECT_LT(n, TranslationCache::kFragmentsPerUnit);
}

/// A dead fragment needs an exit; in a unit without room for one, it is the unit that has to go.
TEST_F(Pressure, a_death_in_a_full_unit_evicts_it) {
    open(kTiny);
    const std::uint32_t n = fill_first_unit(kOneLink);
    for (FragmentId id = 0; id < n; ++id) cache().make_indirect_target(id); // takes the room that is left
    std::uint32_t killed = 0;
    while (cache().counters().evicted_units == 0) {
        ASSERT_LT(killed, 4U);
        EXPECT_TRUE(lives(n - 1));
        const std::uint32_t eip = kStart + killed * kSpacing;
        EXPECT_EQ(cache().invalidate(eip / kPage, eip % kPage, eip % kPage), 1U);
        ++killed;
    }
    for (std::uint32_t i = 0; i < n; ++i) EXPECT_FALSE(lives(i)) << i;
    EXPECT_TRUE(lives(n)) << "unit 1 is not concerned";
    EXPECT_EQ(cache().counters().evicted_fragments, n - killed);
    EXPECT_EQ(cache().counters().invalidated, killed);
    // And unit 0 is free to be used again.
    for (std::uint32_t i = n + 1; cache().counters().evicted_units == 1; ++i) (void)make(i, kOneLink);
    EXPECT_FALSE(lives(n));
}

TEST_F(Pressure, without_room_for_a_tag_check_a_target_stays_slow) {
    open(kTiny);
    const std::uint32_t n = fill_first_unit(kOneLink);
    std::uint32_t with = 0;
    for (std::uint32_t i = 0; i < n; ++i) {
        const FragmentId id = machine_->translate(kStart + i * kSpacing);
        ASSERT_EQ(unit_of(id), 0U);
        const std::uint32_t& entry = machine_->gs().indirect_table[0][(kStart + i * kSpacing) & kDispatchMask];
        const std::uint32_t before = entry;
        cache().make_indirect_target(id);
        const bool has = cache().fragment(id).indirect_entry != 0;
        if (has) {
            EXPECT_EQ(with, i) << "room that was gone came back";
            ++with;
        }
        EXPECT_EQ(entry, has ? cache().fragment(id).indirect_entry : before);
    }
    EXPECT_GT(with, 0U);
    EXPECT_LT(with, n);
    Verifier verifier(cache());
    for (std::uint32_t i = 0; i < n; ++i)
        for (const std::string& problem : verifier.check(i)) ADD_FAILURE() << problem;
}

} // namespace
} // namespace ringone::tests
