// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
//
// The translation cache: links, death, pages, eviction, dispatch tables.
#include "tests/unit/translator/translator_machine.hpp"
#include "tests/unit/translator/verifier.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace ringone::tests {
namespace {

using namespace translator;

constexpr std::uint32_t kPage = FakeGuest::kPage;
constexpr std::uint32_t kA = 0x1000, kB = 0x1100, kC = 0x1200;
constexpr std::uint32_t kJumpBytes = 5;

Options no_fall_through() {
    Options o;
    o.fall_through = false;
    return o;
}

class Cache : public testing::Test {
protected:
    explicit Cache(std::uint32_t code_bytes = 1U << 20U) : machine_(no_fall_through(), code_bytes) {}

    TranslationCache& cache() { return machine_.cache(); }
    const Fragment& at(FragmentId id) { return cache().fragment(id); }
    const CacheCounters& counters() { return cache().counters(); }
    /// `INC ebx; JMP target` at `eip`, translated.
    FragmentId block(std::uint32_t eip, std::uint32_t target) {
        put_block(eip, target);
        return machine_.translate(eip);
    }
    void put_block(std::uint32_t eip, std::uint32_t target) {
        std::uint8_t code[] = {0x43, 0xE9, 0, 0, 0, 0};
        const std::uint32_t relative = target - (eip + std::uint32_t{sizeof code});
        std::copy_n(reinterpret_cast<const std::uint8_t*>(&relative), sizeof relative, code + 2);
        machine_.guest.put(eip, code);
    }
    FragmentId put(std::uint32_t eip, std::initializer_list<std::uint8_t> code) {
        machine_.guest.put(eip, std::span(code.begin(), code.size()));
        return machine_.translate(eip);
    }
    /// Where the rel32 field at a run address leads.
    std::uint32_t target_of(std::uint32_t field) { return field + 4 + machine_.word_at(field); }
    std::uint8_t byte_at(std::uint32_t run) { return *cache().writable(run); }
    FragmentId find(std::uint32_t eip) { return cache().find(eip, cache().intern(machine_.context)); }
    /// The link whose exit stub begins at a run address.
    LinkId stub_link(std::uint32_t run) {
        EXPECT_EQ(byte_at(run), 0x65);
        EXPECT_EQ(byte_at(run + 1), 0xC7);
        const std::uint32_t info = machine_.word_at(run + 7);
        EXPECT_EQ(info & 0xFU, static_cast<std::uint32_t>(ExitKind::link));
        return info >> kExitKindBits;
    }
    /// The link that a dead fragment's head leaves through.
    LinkId head_link(FragmentId dead) {
        EXPECT_EQ(byte_at(at(dead).ccf), 0xE9);
        return stub_link(target_of(at(dead).ccf + 1));
    }
    void expect_sound(std::initializer_list<FragmentId> live) {
        Verifier verifier(cache());
        for (const FragmentId id : live)
            for (const std::string& problem : verifier.check(id)) ADD_FAILURE() << problem;
    }

    TranslatorMachine machine_;
};

TEST_F(Cache, chain_patches_the_exit_to_its_target) {
    const FragmentId a = block(kA, kB), b = block(kB, kA);
    const LinkId exit = at(a).link_first;
    const Link before = cache().link(exit);
    EXPECT_EQ(before.target_eip, kB);
    EXPECT_EQ(target_of(before.field), before.stub);
    cache().chain(exit, b);
    EXPECT_EQ(target_of(before.field), at(b).ccf);
    EXPECT_EQ(cache().link(exit).to, b);
    EXPECT_EQ(at(b).incoming, exit);
    cache().chain(exit, b); // once more changes nothing
    EXPECT_EQ(cache().link(exit).next, kNone);
    EXPECT_EQ(counters().links_made, 1U);
    expect_sound({a, b});
}

TEST_F(Cache, death_unchains_every_way_in) {
    const FragmentId a = block(kA, kB), c = block(kC, kB), b = block(kB, kB);
    for (const FragmentId from : {a, c, b}) cache().chain(at(from).link_first, b);
    EXPECT_EQ(cache().invalidate(1, kB % kPage, kB % kPage), 1U);
    for (const FragmentId from : {a, c}) {
        const Link& exit = cache().link(at(from).link_first);
        EXPECT_EQ(exit.to, kNone);
        EXPECT_EQ(target_of(exit.field), exit.stub);
    }
    EXPECT_EQ(counters().links_cut, 3U);
    EXPECT_EQ(at(b).incoming, kNone);
    EXPECT_TRUE(at(b).dead);
    EXPECT_EQ(find(kB), kNone);
    expect_sound({a, c});
}

TEST_F(Cache, a_dead_head_leads_to_its_successor) {
    const FragmentId old = block(kA, kB);
    (void)cache().invalidate(1, 0, 0xFFF);
    const LinkId way_out = head_link(old);
    EXPECT_EQ(cache().link(way_out).target_eip, kA);
    EXPECT_EQ(cache().link(way_out).from, old);
    const FragmentId fresh = machine_.translate(kA);
    ASSERT_NE(fresh, old);
    cache().chain(way_out, fresh);
    EXPECT_EQ(target_of(at(old).ccf + 1), at(fresh).ccf);
    (void)cache().invalidate(1, 0, 0xFFF);
    EXPECT_EQ(target_of(at(old).ccf + 1), cache().link(way_out).stub);
}

/// The exit of a block that is only a branch lies where the dead fragment's jump is written. When the exit's target
/// died later, the exit was "unchained" once more, right over that jump.
TEST_F(Cache, an_exit_in_a_dead_head_is_never_patched_again) {
    const FragmentId a = put(kA, {0xE9, 0xFB, 0, 0, 0}); // JMP kB
    const FragmentId b = block(kB, kB);
    const LinkId exit = at(a).link_first;
    cache().chain(exit, b);
    (void)cache().invalidate(1, kA % kPage, kA % kPage);
    const LinkId way_out = head_link(a);
    EXPECT_EQ(at(b).incoming, kNone);
    cache().chain(exit, b); // an exit that was taken before the death, say
    (void)cache().invalidate(1, kB % kPage, kB % kPage);
    EXPECT_EQ(target_of(at(a).ccf + 1), cache().link(way_out).stub);
    EXPECT_NE(way_out, exit);
}

TEST_F(Cache, a_landing_outlives_its_fragment) {
    TranslatorMachine machine; // with fall-through, so that the landing goes on in the next block
    machine.guest.put(kA, std::vector<std::uint8_t>{0xE8, 0xFB, 0, 0, 0, 0x43, 0xEB, 0xFE}); // CALL kB; INC; JMP
    const FragmentId caller = machine.translate(kA);
    const Fragment f = machine.cache().fragment(caller);
    const std::uint8_t* code = machine.cache().writable(f.ccf);
    const std::uint32_t entry = machine.gs().return_cache[0][(kA + 5) & kDispatchMask];
    ASSERT_GE(entry, f.ccf + kJumpBytes);
    ASSERT_LT(entry, f.ccf + f.ccf_length);
    const std::uint8_t* const at_entry = machine.cache().writable(entry);
    const std::vector<std::uint8_t> landing(at_entry, code + f.ccf_length);
    EXPECT_EQ(machine.cache().invalidate(1, 0, 0), 1U);
    EXPECT_EQ(code[0], 0xE9);
    EXPECT_TRUE(std::equal(landing.begin(), landing.end(), at_entry));
    // Behind it the next block lives on, for those who return.
    const FragmentId next = machine.cache().find_by_address(f.ccf + f.ccf_length);
    ASSERT_NE(next, kNone);
    EXPECT_EQ(machine.cache().fragment(next).eip, kA + 5);
    EXPECT_EQ(machine.cache().fragment(next).return_entry, entry);
    EXPECT_FALSE(machine.cache().fragment(next).dead);
}

/// A return whose place in the return cache went to another one gets it back on its way through the other table.
TEST_F(Cache, a_return_target_has_a_check_and_heals_its_entry) {
    const FragmentId id = block(kA, kB);
    cache().make_return_target(id);
    const std::uint32_t entry = at(id).return_entry;
    ASSERT_NE(entry, 0U);
    EXPECT_EQ(machine_.gs().return_cache[0][kA & kDispatchMask], entry);
    cache().make_return_target(id);
    EXPECT_EQ(at(id).return_entry, entry);
    EXPECT_EQ(counters().return_entries, 1U);
    cache().make_indirect_target(id);
    const std::uint8_t* check = cache().writable(at(id).indirect_entry);
    const auto* heal = reinterpret_cast<const std::uint8_t*>(&entry);
    constexpr std::uint32_t kEntryBytes = 48; // at most
    EXPECT_NE(std::search(check, check + kEntryBytes, heal, heal + sizeof entry), check + kEntryBytes);
    expect_sound({id});
}

TEST_F(Cache, bytes_kill_what_was_made_from_them) {
    struct Range {
        std::uint32_t first, last;
        std::uint32_t killed;
    };
    // The block is made from bytes 0x100 to 0x105 of its page.
    for (const Range r : {Range{0, 0xFF, 0}, Range{0x106, 0xFFF, 0}, Range{0, 0x100, 1}, Range{0x105, 0x105, 1},
                          Range{0x102, 0x103, 1}, Range{0x105, 0xFFF, 1}, Range{0, 0xFFF, 1}}) {
        const FragmentId id = block(kB, kB);
        EXPECT_EQ(cache().covers(1, r.first, r.last), r.killed == 1) << r.first << ' ' << r.last;
        EXPECT_FALSE(cache().covers(2, r.first, r.last));
        EXPECT_EQ(cache().invalidate(2, r.first, r.last), 0U);
        EXPECT_EQ(cache().invalidate(1, r.first, r.last), r.killed) << r.first << ' ' << r.last;
        EXPECT_EQ(at(id).dead, r.killed == 1);
        EXPECT_EQ(cache().page_has_code(1), r.killed == 0);
    }
    EXPECT_EQ(counters().invalidated, 5U);
}

TEST_F(Cache, a_block_on_two_pages_dies_with_either) {
    constexpr std::uint32_t kAcross = 2 * kPage - 2;
    for (const std::uint32_t page : {1U, 2U}) {
        const FragmentId id = put(kAcross, {0xB8, 1, 2, 3, 4, 0xEB, 0xFE});
        ASSERT_EQ(at(id).page[1], 2U);
        EXPECT_TRUE(cache().covers(1, 0xFFE, 0xFFF));
        EXPECT_FALSE(cache().covers(1, 0, 0xFFD));
        EXPECT_TRUE(cache().covers(2, 0, 0));
        EXPECT_TRUE(cache().covers(2, 2, 2));
        EXPECT_EQ(cache().covers(2, at(id).guest_length - 2, 0xFFF), false);
        EXPECT_EQ(cache().invalidate(page, page == 1 ? 0xFFF : 2, page == 1 ? 0xFFF : 2), 1U);
        EXPECT_FALSE(cache().page_has_code(1));
        EXPECT_FALSE(cache().page_has_code(2));
    }
}

TEST_F(Cache, both_halves_on_one_physical_page) {
    machine_.guest.map(1, 7);
    machine_.guest.map(2, 7);
    const FragmentId id = put(2 * kPage - 2, {0xB8, 1, 2, 3, 4, 0xEB, 0xFE});
    EXPECT_EQ(at(id).page[0], 7U);
    EXPECT_EQ(at(id).page[1], 7U);
    EXPECT_EQ(cache().invalidate(7, 0, 0xFFF), 1U);
    EXPECT_FALSE(cache().page_has_code(7));
}

TEST_F(Cache, addresses_lead_to_their_fragment) {
    const FragmentId a = block(kA, kB), b = block(kB, kA);
    for (const FragmentId id : {a, b})
        for (std::uint32_t i = 0; i < at(id).ccf_length; ++i) EXPECT_EQ(cache().find_by_address(at(id).ccf + i), id);
    cache().make_indirect_target(a);
    const std::uint32_t outside[] = {0,
                                     0xFFFFFFFF,
                                     cache().exit_gate(),
                                     cache().indirect_miss(),
                                     cache().return_miss(1),
                                     cache().native_slot().run,
                                     at(a).indirect_entry,
                                     cache().link(at(a).link_first).stub,
                                     at(b).ccf + at(b).ccf_length,
                                     TranslatorMachine::kRun + (1U << 20U)};
    for (const std::uint32_t run : outside) EXPECT_EQ(cache().find_by_address(run), kNone) << std::hex << run;
}

TEST_F(Cache, side_entries_cover_up_to_the_next_one) {
    const FragmentId id = put(kA, {0x43, 0x8B, 0x03, 0xEB, 0xFE});
    const Fragment& f = at(id);
    EXPECT_EQ(cache().side_entry(f, f.ccf)->guest_offset, 0);
    EXPECT_EQ(cache().side_entry(f, f.ccf + 1)->guest_offset, 1);
    EXPECT_EQ(cache().side_entry(f, f.ccf + 2)->guest_offset, 1);
    EXPECT_EQ(cache().side_entry(f, f.ccf + 3)->guest_offset, 3);
}

TEST_F(Cache, an_indirect_target_is_entered_once) {
    const FragmentId id = block(kA, kB);
    const std::uint8_t context = cache().intern(machine_.context);
    cache().activate(context);
    const std::uint32_t& entry = machine_.gs().indirect_table[0][kA & kDispatchMask];
    EXPECT_EQ(entry, cache().indirect_miss());
    cache().make_indirect_target(id);
    const std::uint32_t check = at(id).indirect_entry;
    EXPECT_NE(check, 0U);
    EXPECT_EQ(entry, check);
    cache().make_indirect_target(id);
    EXPECT_EQ(at(id).indirect_entry, check);
    EXPECT_EQ(counters().indirect_entries, 1U);
    EXPECT_EQ(machine_.gs().indirect_table[1][kA & kDispatchMask], cache().indirect_miss());
    expect_sound({id});
}

TEST_F(Cache, another_context_starts_with_empty_dispatch_tables) {
    const FragmentId id = block(kA, kB);
    cache().activate(cache().intern(machine_.context));
    cache().make_indirect_target(id);
    GsArea& gs = machine_.gs();
    constexpr std::uint32_t kSomewhere = TranslatorMachine::kRun + 0x1234;
    gs.return_cache[0][5] = kSomewhere;
    CodeContext user = machine_.context;
    user.cpl = 3;
    const std::uint64_t resets = counters().dispatch_resets;
    cache().activate(cache().intern(user)); // another class: the supervisor's tables stay
    EXPECT_EQ(gs.indirect_table[0][kA & kDispatchMask], at(id).indirect_entry);
    cache().activate(cache().intern(machine_.context)); // current already
    EXPECT_EQ(gs.return_cache[0][5], kSomewhere);
    CodeContext other = machine_.context;
    other.task_switched = true;
    cache().activate(cache().intern(other));
    EXPECT_EQ(gs.indirect_table[0][kA & kDispatchMask], cache().indirect_miss());
    EXPECT_EQ(gs.return_cache[0][5], cache().return_miss(0));
    EXPECT_EQ(counters().dispatch_resets, resets + 2);
}

TEST_F(Cache, more_contexts_than_there_is_room_for_flush) {
    const FragmentId id = block(kA, kB);
    const std::uint64_t flushes = counters().flushes;
    CodeContext context = machine_.context;
    for (std::uint32_t n = 1; n < kMaxContexts; ++n) {
        context.cs_base = n * kPage;
        EXPECT_EQ(cache().intern(context), n);
    }
    EXPECT_EQ(find(kA), id);
    EXPECT_EQ(counters().flushes, flushes);
    context.cs_base = kMaxContexts * kPage;
    EXPECT_EQ(cache().intern(context), 0);
    EXPECT_EQ(counters().flushes, flushes + 1);
    EXPECT_EQ(cache().context(0), context);
    EXPECT_EQ(find(kA), kNone);
    EXPECT_FALSE(cache().page_has_code(1));
}

TEST_F(Cache, a_place_is_cut_off_from_other_pages_and_killed) {
    constexpr std::uint32_t kFar = 0x5000;
    const FragmentId near = block(kA, kB), far = block(kFar, kB), target = block(kB, kB);
    for (const FragmentId from : {near, far, target}) cache().chain(at(from).link_first, target);
    const TranslationCache::CodePlace place{machine_.context.view, kB / kPage, kB / kPage};
    cache().detach({place.view, place.linear_page, 9});      // another physical page
    cache().detach({place.view, 9, place.page});             // another linear one
    cache().detach({1, place.linear_page, place.page});      // another view
    EXPECT_EQ(cache().link(at(far).link_first).to, target);
    cache().detach(place);
    EXPECT_EQ(cache().link(at(far).link_first).to, kNone);
    EXPECT_EQ(cache().link(at(near).link_first).to, target);
    EXPECT_EQ(cache().link(at(target).link_first).to, target);
    cache().kill_place(place);
    EXPECT_TRUE(at(target).dead);
    EXPECT_TRUE(at(near).dead);
    EXPECT_FALSE(at(far).dead);
    EXPECT_EQ(counters().invalidated, 2U);
    expect_sound({far});
}

TEST_F(Cache, counts_what_it_made) {
    const FragmentId a = put(kA, {0x43, 0x8B, 0x03, 0xFA, 0xEB, 0xFE}); // INC; MOV; CLI; JMP
    EXPECT_EQ(counters().fragments, 1U);
    EXPECT_EQ(counters().guest_instructions, 4U);
    EXPECT_EQ(counters().identical_instructions, 2U);
    EXPECT_EQ(counters().guest_bytes, 6U);
    EXPECT_EQ(counters().code_bytes, at(a).ccf_length);
}

} // namespace
} // namespace ringone::tests
