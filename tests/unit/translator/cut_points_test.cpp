// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
//
// Addresses at which blocks are cut, so that the monitor comes between: what is translated then, and what was before.
#include "tests/unit/translator/translator_machine.hpp"

#include <gtest/gtest.h>

namespace ringone::tests {
namespace {

using namespace translator;
using Bytes = std::vector<std::uint8_t>;

class Cuts : public testing::Test {
protected:
    void SetUp() override { machine_.guest.put(0x1000, Bytes(100, 0x43)); } // INC ebx
    FragmentId find(std::uint32_t eip, bool one_instruction = false) {
        const std::uint8_t context = machine_.cache().intern(machine_.context);
        return machine_.cache().find(eip, static_cast<std::uint8_t>(context | (one_instruction ? kOneInstruction : 0)));
    }
    std::uint32_t length(FragmentId id) { return machine_.cache().fragment(id).guest_length; }

    TranslatorMachine machine_;
};

TEST_F(Cuts, a_block_ends_before_one) {
    machine_.translator.cut_at(0x1005);
    EXPECT_EQ(length(machine_.translate(0x1000)), 5U);
    EXPECT_EQ(find(0x1005), kNone) << "nothing is placed there ahead";
    EXPECT_EQ(length(machine_.translate(0x1005)), kMaxBlockInstructions);
    EXPECT_EQ(length(machine_.translate(0x1003)), 2U);
}

TEST_F(Cuts, an_sti_before_one_is_the_monitors) {
    machine_.guest.put(0x1004, Bytes{0xFB});
    machine_.translator.cut_at(0x1005);
    (void)machine_.translate(0x1000);
    const Terminal& terminal = machine_.translator.last_plan().terminal;
    EXPECT_EQ(terminal.kind, TerminalKind::callout);
    EXPECT_EQ(terminal.eip, 0x1004U);
}

TEST_F(Cuts, what_goes_over_a_new_one_dies) {
    const FragmentId over = machine_.translate(0x1000);
    const FragmentId at = machine_.translate(0x1005);
    const FragmentId behind = machine_.translate(0x1006);
    const FragmentId one = machine_.translate(0x1001, true);
    machine_.translator.cut_at(0x1005);
    EXPECT_TRUE(machine_.cache().fragment(over).dead);
    EXPECT_TRUE(machine_.cache().fragment(at).dead);
    EXPECT_FALSE(machine_.cache().fragment(behind).dead);
    EXPECT_FALSE(machine_.cache().fragment(one).dead);
    EXPECT_EQ(find(0x1000), kNone);
}

TEST_F(Cuts, addresses_are_linear) {
    const FragmentId flat = machine_.translate(0x1000);
    machine_.context.cs_base = 0x800;
    const FragmentId based = machine_.translate(0x800);
    machine_.translator.cut_at(0x1001);
    EXPECT_TRUE(machine_.cache().fragment(flat).dead);
    EXPECT_TRUE(machine_.cache().fragment(based).dead);
    EXPECT_EQ(length(machine_.translate(0x800)), 1U);
}

TEST_F(Cuts, again_only_what_begins_there_dies) {
    machine_.translator.cut_at(0x1005);
    const FragmentId before = machine_.translate(0x1000);
    const FragmentId at = machine_.translate(0x1005);
    machine_.context.cpl = 3;
    const FragmentId users = machine_.translate(0x1005);
    machine_.translator.cut_at(0x1005);
    EXPECT_FALSE(machine_.cache().fragment(before).dead);
    EXPECT_TRUE(machine_.cache().fragment(at).dead);
    EXPECT_TRUE(machine_.cache().fragment(users).dead);
}

TEST_F(Cuts, a_dead_block_sends_its_predecessor_out) {
    machine_.translator.cut_at(0x1005);
    const FragmentId before = machine_.translate(0x1000);
    const FragmentId at = machine_.translate(0x1005);
    const LinkId exit = machine_.cache().fragment(before).link_first;
    machine_.cache().chain(exit, at);
    machine_.translator.cut_at(0x1005);
    EXPECT_EQ(machine_.cache().link(exit).to, kNone);
}

TEST_F(Cuts, the_youngest_are_kept) {
    CutPoints cuts;
    for (std::uint32_t i = 0; i < CutPoints::kPoints; ++i) EXPECT_FALSE(cuts.touch(i));
    EXPECT_TRUE(cuts.touch(0)); // 1 is the oldest now
    EXPECT_FALSE(cuts.touch(100));
    EXPECT_TRUE(cuts.has(0));
    EXPECT_FALSE(cuts.has(1));
    for (std::uint32_t i = 2; i < CutPoints::kPoints; ++i) EXPECT_TRUE(cuts.has(i)) << i;
    EXPECT_TRUE(cuts.has(100));
    EXPECT_FALSE(cuts.has(200));
}

} // namespace
} // namespace ringone::tests
