// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
//
// Where blocks end, and which pages they depend on.
#include "tests/unit/translator/translator_machine.hpp"

#include <gtest/gtest.h>

namespace ringone::tests {
namespace {

using namespace translator;

constexpr std::uint32_t kPage = FakeGuest::kPage;
using Bytes = std::vector<std::uint8_t>;

class Blocks : public testing::Test {
protected:
    const Fragment& make(std::uint32_t eip, const Bytes& code) {
        machine_.guest.put(eip, code);
        return machine_.cache().fragment(machine_.translate(eip));
    }
    Translator::Result get(std::uint32_t eip) {
        return machine_.translator.get(machine_.guest, machine_.cache().intern(machine_.context), eip);
    }

    TranslatorMachine machine_;
};

TEST_F(Blocks, end_at_the_limit_of_instructions) {
    const Fragment& f = make(0x1000, Bytes(100, 0x43));
    EXPECT_EQ(f.instruction_count, kMaxBlockInstructions);
    EXPECT_EQ(f.guest_length, kMaxBlockInstructions);
}

TEST_F(Blocks, end_before_the_next_page) {
    const Fragment& f = make(2 * kPage - 3, Bytes(10, 0x43));
    EXPECT_EQ(f.guest_length, 3);
    EXPECT_EQ(f.page[1], kNone);
}

TEST_F(Blocks, an_instruction_on_two_pages_is_one_of_its_own) {
    const Bytes code = {0x43, 0xB8, 1, 2, 3, 4, 0x43, 0xEB, 0xFE};
    const Fragment& before = make(2 * kPage - 3, code);
    EXPECT_EQ(before.guest_length, 1);
    const Fragment& across = machine_.cache().fragment(machine_.translate(2 * kPage - 2));
    EXPECT_EQ(across.guest_length, 5);
    EXPECT_EQ(across.page[0], 1U);
    EXPECT_EQ(across.page[1], 2U);
}

/// An undecodable instruction depended on the first of its two pages only, so that a write to its bytes on the
/// second, which made it a valid one, left the guest with #UD.
TEST_F(Blocks, an_invalid_instruction_on_two_pages_depends_on_both) {
    const Fragment& f = make(2 * kPage - 1, {0x0F, 0x04});
    EXPECT_EQ(f.page[0], 1U);
    EXPECT_EQ(f.page[1], 2U);
    EXPECT_EQ(machine_.cache().invalidate(2, 0, 0), 1U);
}

TEST_F(Blocks, an_over_long_instruction_faults_with_general_protection) {
    Bytes code(15, 0x66);
    code.push_back(0x90);
    (void)make(0x1000, code);
    EXPECT_EQ(machine_.translator.last_plan().terminal.kind, TerminalKind::fault);
    EXPECT_EQ(machine_.translator.last_plan().terminal.vector, 13);
    EXPECT_EQ(machine_.translator.last_plan().length, kMaxInstructionLength);
}

TEST_F(Blocks, fifteen_bytes_are_not_over_long) {
    Bytes code(14, 0x66);
    code.push_back(0x90);
    machine_.guest.put(0x1000, code);
    const Fragment& f = machine_.cache().fragment(machine_.translate(0x1000, true));
    EXPECT_EQ(f.guest_length, 15);
    EXPECT_EQ(machine_.translator.last_plan().terminal.kind, TerminalKind::step);
}

TEST_F(Blocks, a_page_that_cannot_be_fetched_is_reported_where_it_begins) {
    machine_.guest.put(2 * kPage - 2, Bytes{0xB8, 1});
    Translator::Result result = get(2 * kPage - 2);
    EXPECT_EQ(result.status, PlanStatus::not_fetchable);
    EXPECT_EQ(result.fault_linear, 2 * kPage);
    result = get(5 * kPage + 7);
    EXPECT_EQ(result.status, PlanStatus::not_fetchable);
    EXPECT_EQ(result.fault_linear, 5 * kPage + 7);
}

TEST_F(Blocks, an_unfetchable_page_behind_ends_the_block_before_it) {
    const Fragment& f = make(2 * kPage - 3, {0x43, 0xB8, 1});
    EXPECT_EQ(f.guest_length, 1);
}

TEST_F(Blocks, the_code_segment_limit_is_reported) {
    machine_.context.cs_limit = 0x1003;
    machine_.guest.put(0x1000, Bytes(16, 0x43));
    EXPECT_EQ(machine_.cache().fragment(machine_.translate(0x1000)).guest_length, 4);
    EXPECT_EQ(get(0x1004).status, PlanStatus::outside_segment);
    machine_.guest.put(0x1002, Bytes{0xB8, 0, 0, 0, 0});
    EXPECT_EQ(get(0x1002).status, PlanStatus::outside_segment);
}

TEST_F(Blocks, the_code_segment_base_is_added) {
    machine_.context.cs_base = 0x10000;
    machine_.guest.put(0x11000, Bytes{0x43, 0xEB, 0xFD});
    const Fragment& f = machine_.cache().fragment(machine_.translate(0x1000));
    EXPECT_EQ(f.eip, 0x1000U);
    EXPECT_EQ(f.page[0], 0x11U);
    EXPECT_EQ(machine_.cache().link(f.link_first).target_eip, 0x1000U);
}

TEST_F(Blocks, sti_takes_its_successor_along) {
    Bytes code(kMaxBlockInstructions - 1, 0x43);
    for (const unsigned b : {0xFBU, 0x90U, 0x90U, 0xF4U}) code.push_back(static_cast<std::uint8_t>(b));
    machine_.guest.put(0x1000, code);
    Options options;
    options.fall_through = false;
    TranslatorMachine alone(options);
    alone.guest.put(0x1000, code);
    const FragmentId id = alone.translate(0x1000);
    // Sixteen steps are all there is room for: the STI is the monitor's, and ends the block.
    EXPECT_EQ(alone.translator.last_plan().terminal.kind, TerminalKind::callout);
    EXPECT_EQ(alone.cache().fragment(id).guest_length, kMaxBlockInstructions);
    code.erase(code.begin());
    TranslatorMachine room(options);
    room.guest.put(0x1000, code);
    (void)room.translate(0x1000);
    EXPECT_EQ(room.translator.last_plan().steps.back().interruptible, false);
}

TEST_F(Blocks, only_one_of_equal_keys_is_made) {
    const Bytes code = {0x43, 0xEB, 0xFD};
    (void)make(0x1000, code);
    const std::uint64_t made = machine_.cache().counters().fragments;
    const FragmentId again = machine_.translate(0x1000);
    EXPECT_EQ(machine_.cache().counters().fragments, made);
    EXPECT_NE(machine_.translate(0x1000, true), again);
    machine_.context.cpl = 3;
    EXPECT_NE(machine_.translate(0x1000), again);
    EXPECT_EQ(machine_.cache().counters().fragments, made + 2);
}

TEST_F(Blocks, a_run_of_fall_through_stays_on_its_page) {
    machine_.guest.put(kPage, Bytes(2 * kPage, 0x43));
    (void)machine_.translate(kPage);
    EXPECT_EQ(machine_.cache().counters().fragments, 8U);
    const std::uint32_t last = 2 * kPage - kMaxBlockInstructions;
    (void)machine_.translate(last);
    EXPECT_EQ(machine_.cache().counters().fragments, 9U);
    EXPECT_EQ(machine_.cache().find(2 * kPage, machine_.cache().intern(machine_.context)), kNone);
}

} // namespace
} // namespace ringone::tests
