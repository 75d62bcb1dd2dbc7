// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "machine.hpp"

namespace ringone::vmm {
namespace {

struct TaskSwitching : Machine {
    void SetUp() override {
        Machine::SetUp();
        new_task(0x11000, 2, {kCode0, kData0, kData0, kData0, kData0, kData0});
        idt(8, kTaskGateType, kOtherTssSel, 0);
        gate(kGdt, kTestSel, dpl3(kTaskGateType), kOtherTssSel, 0);
        for (unsigned i = 0; i < 8; ++i)
            if (i != kEsp) vcpu.gpr[i] = 0x1000 + i;
    }
    /// Selectors in the order CS SS DS ES FS GS.
    void new_task(std::uint32_t eip, std::uint32_t flags, std::array<std::uint16_t, 6> selectors) {
        memory.put(kOtherTss + 0x20, eip);
        memory.put(kOtherTss + 0x24, flags);
        for (unsigned i = 0; i < 8; ++i) memory.put<std::uint32_t>(kOtherTss + 0x28 + 4 * i, 0x2000 + i);
        memory.put<std::uint32_t>(kOtherTss + 0x38, 0xC800); // ESP
        const std::uint32_t offsets[] = {0x4C, 0x50, 0x54, 0x48, 0x58, 0x5C};
        for (unsigned i = 0; i < 6; ++i) memory.put(kOtherTss + offsets[i], selectors[i]);
    }
    void expect_in_new_task() {
        EXPECT_EQ(vcpu.tr.selector, kOtherTssSel);
        EXPECT_EQ(vcpu.tr.type(), 11U);
        EXPECT_EQ(access_byte(kOtherTssSel) & 0xF, 11);
        EXPECT_NE(vcpu.cr0 & cr0::kTs, 0U);
        EXPECT_EQ(vcpu.eip, 0x11000U);
        for (unsigned i = 0; i < 8; ++i)
            if (i != kEsp) { EXPECT_EQ(vcpu.gpr[i], 0x2000 + i); }
    }
    void expect_saved(std::uint32_t eip, std::uint32_t flags) {
        EXPECT_EQ(memory.get<std::uint32_t>(kTss + 0x20), eip);
        EXPECT_EQ(memory.get<std::uint32_t>(kTss + 0x24), flags);
        for (unsigned i = 0; i < 8; ++i)
            if (i != kEsp) { EXPECT_EQ(memory.get<std::uint32_t>(kTss + 0x28 + 4 * i), 0x1000 + i); }
        EXPECT_EQ(memory.get<std::uint32_t>(kTss + 0x38), kStack0);
        EXPECT_EQ(memory.get<std::uint16_t>(kTss + 0x4C), kCode0);
        EXPECT_EQ(memory.get<std::uint16_t>(kTss + 0x54), kData0);
    }
    Outcome jump(std::uint16_t selector) {
        const auto low = static_cast<std::uint8_t>(selector), high = static_cast<std::uint8_t>(selector >> 8);
        return run({0xEA, 0, 0, 0, 0, low, high});
    }
    Outcome call(std::uint16_t selector) {
        const auto low = static_cast<std::uint8_t>(selector), high = static_cast<std::uint8_t>(selector >> 8);
        return run({0x9A, 0, 0, 0, 0, low, high});
    }
};

TEST_F(TaskSwitching, JumpLeavesTheOldTaskAvailable) {
    for (const std::uint16_t selector : {kOtherTssSel, kTestSel}) { // directly, and through a task gate
        SetUp();
        EXPECT_EQ(jump(selector), kJumped);
        expect_in_new_task();
        expect_saved(kCodeAt + 7, 0x202);
        EXPECT_EQ(access_byte(kTssSel) & 0xF, 9);
        EXPECT_EQ(vcpu.eflags, 2U) << "not nested";
    }
}

TEST_F(TaskSwitching, CallAndReturn) {
    EXPECT_EQ(call(kOtherTssSel), kJumped);
    expect_in_new_task();
    EXPECT_EQ(access_byte(kTssSel) & 0xF, 11) << "the caller stays busy";
    EXPECT_EQ(memory.get<std::uint16_t>(kOtherTss), kTssSel);
    EXPECT_EQ(vcpu.eflags, 0x4002U);
    EXPECT_EQ(run({0xCF}), kJumped);
    EXPECT_EQ(vcpu.tr.selector, kTssSel);
    EXPECT_EQ(vcpu.eip, kCodeAt + 7);
    EXPECT_EQ(vcpu.eflags, 0x202U);
    EXPECT_EQ(vcpu.gpr[kEsp], kStack0);
    for (unsigned i = 0; i < 8; ++i)
        if (i != kEsp) { EXPECT_EQ(vcpu.gpr[i], 0x1000 + i); }
    EXPECT_EQ(access_byte(kOtherTssSel) & 0xF, 9);
    EXPECT_EQ(access_byte(kTssSel) & 0xF, 11);
    EXPECT_EQ(memory.get<std::uint32_t>(kOtherTss + 0x24) & 0x4000, 0U) << "NT clear in the task left by IRET";
    EXPECT_EQ(memory.get<std::uint32_t>(kOtherTss + 0x20), 0x11001U);
}

TEST_F(TaskSwitching, DoubleFaultTaskGetsItsErrorCode) {
    enter(3);
    memory.put<std::uint16_t>(kTss + 8, 0); // no ring 0 stack: #TS in #PF
    for (unsigned v = 9; v < 15; ++v) idt(static_cast<std::uint8_t>(v), kIntGate32, kCode0, 0x100);
    ASSERT_EQ(raise(GuestFault::page(0x1234, 6)), Delivery::delivered);
    EXPECT_EQ(vcpu.cr2, 0x1234U);
    expect_in_new_task();
    EXPECT_EQ(vcpu.cpl, 0);
    EXPECT_EQ(vcpu.gpr[kEsp], 0xC800U - 4);
    EXPECT_EQ(stack32(0), 0U);
    EXPECT_EQ(memory.get<std::uint32_t>(kTss + 0x20), kCodeAt);
    EXPECT_EQ(memory.get<std::uint16_t>(kTss + 0x4C), kCode3);
    EXPECT_EQ(memory.get<std::uint16_t>(kOtherTss), kTssSel);
}

TEST_F(TaskSwitching, PagingFollowsCr3) {
    vcpu.cr0 |= cr0::kPg;
    vcpu.cr4 = cr4::kPae;
    vcpu.cr3 = 0x7000;
    memory.put<std::uint32_t>(kOtherTss + 0x1C, 0x8000);
    EXPECT_EQ(jump(kOtherTssSel), kJumped);
    EXPECT_EQ(vcpu.cr3, 0x8000U);
    ASSERT_EQ(hooks.changes.size(), 1U);
    EXPECT_TRUE(hooks.changes[0].load_pdptes);
    EXPECT_FALSE(hooks.changes[0].flush_global);
}

TEST_F(TaskSwitching, ToVirtual8086) {
    new_task(0x20, 0x20002, {0x1000, 0x0B00, 0x1100, 0x1200, 0x1300, 0x1400});
    EXPECT_EQ(jump(kOtherTssSel), kJumped);
    EXPECT_TRUE(vcpu.virtual_8086());
    EXPECT_EQ(vcpu.cpl, 3);
    EXPECT_EQ(vcpu.segment(Segment::es), (SegmentCache{0x1200, 0xF3, 0x12000, 0xFFFF, true}));
}

TEST_F(TaskSwitching, RefusedBeforeAnythingChanges) {
    const auto refuse = [&](const Outcome& got, const Outcome& want, const VCpu& before, const char* what) {
        EXPECT_EQ(got, want) << what;
        EXPECT_TRUE(same_state(vcpu, before)) << what;
        EXPECT_EQ(memory.get<std::uint32_t>(kTss + 0x20), 0U) << what;
    };
    const VCpu before = vcpu;
    refuse(jump(kTssSel), gp(kTssSel), before, "busy");
    define(kOtherTssSel, kTss32, kOtherTss, 0x66, 0);
    refuse(jump(kOtherTssSel), faulted(10, kOtherTssSel), before, "too short");
    define(kOtherTssSel, kTss32 & 0x7F, kOtherTss, 0x67, 0);
    refuse(jump(kOtherTssSel), faulted(11, kOtherTssSel), before, "not present");
    refuse(call(kTestSel), faulted(11, kOtherTssSel), before, "not present, by its gate");
    gate(kGdt, kTestSel, kTaskGateType & 0x7F, kOtherTssSel, 0);
    refuse(jump(kTestSel), faulted(11, kTestSel), before, "gate not present");
    gate(kGdt, kTestSel, kTaskGateType, 0x4C, 0);
    refuse(jump(kTestSel), gp(0x4C), before, "TSS in the LDT");
    define(kOtherTssSel, kTss32, kOtherTss, 0x67, 0);
    gate(kGdt, kTestSel, kTaskGateType, kOtherTssSel, 0);
    enter(3);
    const VCpu user = vcpu;
    refuse(jump(kTestSel), gp(kTestSel), user, "gate DPL");
    refuse(jump(kOtherTssSel), gp(kOtherTssSel), user, "TSS DPL");
    enter(0);
    refuse(jump(kOtherTssSel | 3), gp(kOtherTssSel), before, "RPL");
    memory.missing = {kGdt >> 12};
    EXPECT_EQ(jump(kOtherTssSel), (Outcome{Outcome::Kind::fault, GuestFault::page(kGdt + kOtherTssSel, 0)}));
    memory.missing.clear();
    memory.read_only = {kTss >> 12};
    EXPECT_EQ(jump(kOtherTssSel), (Outcome{Outcome::Kind::fault, GuestFault::page(kTss + 0x20, 3)}));
    EXPECT_TRUE(same_state(vcpu, before));
}

TEST_F(TaskSwitching, ReturnNeedsABusyTask) {
    vcpu.eflags |= eflags::kNestedTask;
    const VCpu before = vcpu;
    memory.put<std::uint16_t>(kTss, kOtherTssSel);
    EXPECT_EQ(run({0xCF}), faulted(10, kOtherTssSel)) << "available, not busy";
    memory.put<std::uint16_t>(kTss, 0x4C);
    EXPECT_EQ(run({0xCF}), faulted(10, 0x4C));
    memory.put<std::uint16_t>(kTss, 0);
    EXPECT_EQ(run({0xCF}), faulted(10, 0));
    EXPECT_TRUE(same_state(vcpu, before));
}

/// Faults behind the commit point belong to the new task: SDM Vol. 3 table 7-1.
TEST_F(TaskSwitching, FaultsInTheNewTask) {
    define(kFree, kCode & 0x7F, 0, 0xFFFFF, 0xC);
    struct Case {
        const char* what;
        std::array<std::uint16_t, 6> selectors;
        std::uint16_t ldt;
        Outcome want;
    };
    define(0x88, kData & 0x7F, 0, 0xFFFFF, 0xC);
    const Case cases[] = {
        {"null CS", {0, kData0, 0, 0, 0, 0}, 0, faulted(10, 0)},
        {"data as CS", {kData0, kData0, 0, 0, 0, 0}, 0, faulted(10, kData0)},
        {"CS DPL is not its RPL", {kCode0 | 3, kData0, 0, 0, 0, 0}, 0, faulted(10, kCode0)},
        {"CS not present", {kFree, kData0, 0, 0, 0, 0}, 0, faulted(11, kFree)},
        {"null SS", {kCode0, 0, 0, 0, 0, 0}, 0, faulted(10, 0)},
        {"SS of another level", {kCode0, kData3, 0, 0, 0, 0}, 0, faulted(10, kData3 & ~3U)},
        {"SS not present", {kCode0, 0x88, 0, 0, 0, 0}, 0, faulted(12, 0x88)},
        {"inner data segment", {kCode3, kData3, kData0, 0, 0, 0}, 0, faulted(10, kData0)},
        {"DS not present", {kCode0, kData0, 0x88, 0, 0, 0}, 0, faulted(11, 0x88)},
        {"TSS as GS", {kCode0, kData0, 0, 0, 0, kTssSel}, 0, faulted(10, kTssSel)},
        {"LDT is no LDT", {kCode0, kData0, 0, 0, 0, 0}, kCode0, faulted(10, kCode0)},
        {"LDT in the LDT", {kCode0, kData0, 0, 0, 0, 0}, 0x0C, faulted(10, 0x0C)},
    };
    for (const Case& one : cases) {
        SetUp();
        define(kFree, kCode & 0x7F, 0, 0xFFFFF, 0xC);
        new_task(0x11000, 2, one.selectors);
        memory.put(kOtherTss + 0x60, one.ldt);
        EXPECT_EQ(jump(kOtherTssSel), one.want) << one.what;
        expect_in_new_task();
        expect_saved(kCodeAt + 7, 0x202);
        EXPECT_EQ(cs().selector, one.selectors[0]) << one.what;
    }
}

TEST_F(TaskSwitching, LoadsTheLdt) {
    memory.put<std::uint16_t>(kOtherTss + 0x60, kLdtSel);
    define(0x0C, kData, 0x4444, 0xFFFFF, 0xC);
    new_task(0x11000, 2, {kCode0, kData0, 0x0C, 0, 0, 0});
    EXPECT_EQ(jump(kOtherTssSel), kJumped);
    EXPECT_EQ(vcpu.ldtr.selector, kLdtSel);
    EXPECT_EQ(vcpu.segment(Segment::ds).base, 0x4444U);
    EXPECT_FALSE(vcpu.segment(Segment::gs).usable);
}

TEST_F(TaskSwitching, DebugTrapBit) {
    memory.put<std::uint16_t>(kOtherTss + 0x64, 1);
    vcpu.dr[7] = 0x400 | 0x3FF;
    EXPECT_EQ(jump(kOtherTssSel), faulted(1));
    expect_in_new_task();
    EXPECT_EQ(vcpu.dr[6], 0xFFFF8FF0U);
    EXPECT_EQ(vcpu.dr[7], 0x6AAU | 0x400U) << "local enables are off";
}

TEST_F(TaskSwitching, SixteenBitTssRoundTrip) {
    define(kOtherTssSel, kTss16, kOtherTss, 0x2B, 0);
    const std::uint16_t words16[] = {0x1234, 0x0002};
    memory.put(kOtherTss + 0x0E, words16[0]);
    memory.put(kOtherTss + 0x10, words16[1]);
    for (unsigned i = 0; i < 8; ++i) memory.put(kOtherTss + 0x12 + 2 * i, static_cast<std::uint16_t>(0x3000 + i));
    const std::uint16_t selectors[] = {kData0, kCode16, kData16, kData0, 0}; // ES CS SS DS LDT
    for (unsigned i = 0; i < 5; ++i) memory.put(kOtherTss + 0x22 + 2 * i, selectors[i]);
    EXPECT_EQ(call(kOtherTssSel), kJumped);
    EXPECT_EQ(vcpu.eip, 0x1234U);
    EXPECT_EQ(vcpu.gpr[kEdi], 0x3007U);
    EXPECT_EQ(vcpu.tr.type(), 3U);
    EXPECT_EQ(vcpu.eflags, 0x4002U);
    EXPECT_FALSE(vcpu.segment(Segment::fs).usable);
    vcpu.gpr[kEax] = 0xABCD5555;
    EXPECT_EQ(run({0xCF}), kJumped);
    EXPECT_EQ(vcpu.eip, kCodeAt + 7);
    EXPECT_EQ(vcpu.gpr[kEax], 0x1000U);
    EXPECT_EQ(memory.get<std::uint16_t>(kOtherTss + 0x12), 0x5555);
    EXPECT_EQ(memory.get<std::uint16_t>(kOtherTss + 0x0E), 0x1235);
    EXPECT_EQ(memory.get<std::uint16_t>(kOtherTss + 0x24), kCode16);
}

} // namespace
} // namespace ringone::vmm
