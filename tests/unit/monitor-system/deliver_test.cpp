// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "machine.hpp"

namespace ringone::vmm {
namespace {

constexpr std::uint32_t kHandler = 0x12340;

struct Deliver : Machine {
    void SetUp() override {
        Machine::SetUp();
        for (unsigned v = 0; v < 256; ++v) idt(static_cast<std::uint8_t>(v), kIntGate32, kCode0, kHandler + v);
    }
    /// The error code that the handler of `v` found on its stack.
    void expect_handler(std::uint8_t v, std::uint32_t error_code) {
        EXPECT_EQ(vcpu.eip, kHandler + v);
        EXPECT_EQ(stack32(0), error_code);
    }
};

TEST_F(Deliver, SamePrivilegeInterruptGate) {
    vcpu.eflags |= eflags::kTrap | eflags::kNestedTask | eflags::kCarry;
    const std::uint32_t flags = vcpu.eflags;
    ASSERT_EQ(interrupt(0x21), Delivery::delivered);
    EXPECT_EQ(vcpu.eip, kHandler + 0x21);
    EXPECT_EQ(vcpu.gpr[kEsp], kStack0 - 12);
    EXPECT_EQ(stack32(0), kCodeAt);
    EXPECT_EQ(stack32(1), kCode0);
    EXPECT_EQ(stack32(2), flags);
    EXPECT_EQ(vcpu.eflags, eflags::kFixed | eflags::kCarry); // IF, TF, NT clear
}

TEST_F(Deliver, TrapGateKeepsInterruptFlag) {
    idt(0x21, kTrapGate32, kCode0, kHandler);
    ASSERT_EQ(interrupt(0x21), Delivery::delivered);
    EXPECT_NE(vcpu.eflags & eflags::kInterrupt, 0U);
}

TEST_F(Deliver, SixteenBitGate) {
    idt(0x21, kIntGate16, kCode0, 0xABCD'1234);
    vcpu.eflags |= eflags::kId;
    ASSERT_EQ(interrupt(0x21), Delivery::delivered);
    EXPECT_EQ(vcpu.eip, 0x1234U);
    EXPECT_EQ(vcpu.gpr[kEsp], kStack0 - 6);
    EXPECT_EQ(stack16(0), kCodeAt & 0xFFFFU);
    EXPECT_EQ(stack16(1), kCode0);
    EXPECT_EQ(stack16(2), 0x0202U);
    EXPECT_NE(vcpu.eflags & eflags::kId, 0U);
}

TEST_F(Deliver, InnerPrivilegeSwitchesStack) {
    enter(3);
    memory.supervisor = {(kStack0 - 1) >> 12, kIdt >> 12, kTss >> 12, kGdt >> 12};
    ASSERT_EQ(raise(GuestFault::page(0xC0001234, 7)), Delivery::delivered);
    EXPECT_EQ(vcpu.cr2, 0xC0001234U);
    EXPECT_EQ(vcpu.cpl, 0);
    EXPECT_EQ(cs().selector, kCode0);
    EXPECT_EQ(vcpu.segment(Segment::ss).selector, kData0);
    EXPECT_EQ(vcpu.gpr[kEsp], kStack0 - 24);
    const std::uint32_t frame[] = {7, kCodeAt, kCode3, 0x10202, kStack3, kData3}; // RF set: a fault
    for (unsigned i = 0; i < 6; ++i) EXPECT_EQ(stack32(i), frame[i]) << i;
    EXPECT_EQ(vcpu.segment(Segment::ds).selector, kData3) << "data segments stay";
    EXPECT_EQ(access_byte(kData0) & 1, 1);
}

TEST_F(Deliver, InnerPrivilegeToRing1) {
    enter(3);
    idt(0x21, kIntGate32, kCode1, kHandler);
    ASSERT_EQ(interrupt(0x21), Delivery::delivered);
    EXPECT_EQ(vcpu.cpl, 1);
    EXPECT_EQ(cs().selector, kCode1);
    EXPECT_EQ(vcpu.gpr[kEsp], kStack1 - 20);
}

TEST_F(Deliver, SixteenBitTss) {
    define(kTssSel, kTss16 | 2, kTss, 0x2B, 0);
    vcpu.tr = cached(kTssSel);
    memory.put<std::uint16_t>(kTss + 2, 0x8800);
    memory.put<std::uint16_t>(kTss + 4, kData0);
    enter(3);
    ASSERT_EQ(interrupt(0x21), Delivery::delivered);
    EXPECT_EQ(vcpu.gpr[kEsp], 0x8800U - 20);
}

TEST_F(Deliver, ConformingHandlerRunsAtTheCallersLevel) {
    enter(3);
    idt(0x21, kIntGate32, kConformingSel, kHandler);
    ASSERT_EQ(interrupt(0x21), Delivery::delivered);
    EXPECT_EQ(vcpu.cpl, 3);
    EXPECT_EQ(cs().selector, kConformingSel | 3);
    EXPECT_EQ(vcpu.gpr[kEsp], kStack3 - 12);
}

TEST_F(Deliver, SoftwareInterruptChecksGateDpl) {
    enter(3);
    const VCpu before = vcpu;
    // INT 0x80 through a DPL 0 gate: #GP(vector * 8 + 2), EIP at the INT, EXT clear.
    EXPECT_EQ(run({0xCD, 0x80}), kJumped);
    expect_handler(13, 0x80 * 8 + 2);
    EXPECT_EQ(stack32(1), kCodeAt);
    vcpu = before;
    idt(0x80, dpl3(kTrapGate32), kCode0, kHandler);
    EXPECT_EQ(run({0xCD, 0x80}), kJumped);
    EXPECT_EQ(vcpu.eip, kHandler);
    EXPECT_EQ(stack32(0), kCodeAt + 2);
    EXPECT_EQ(stack32(2), 0x202U) << "RF clear: not a fault";
    vcpu = before; // INT3 and INTO check, too
    EXPECT_EQ(run({0xCC}), kJumped);
    expect_handler(13, 3 * 8 + 2);
    vcpu = before;
    vcpu.eflags |= eflags::kOverflow;
    EXPECT_EQ(run({0xCE}), kJumped);
    expect_handler(13, 4 * 8 + 2);
    vcpu = before;
    EXPECT_EQ(run({0xCE}), kNext) << "INTO without OF";
    EXPECT_EQ(vcpu.eip, kCodeAt + 1);
    vcpu = before; // INT1 and hardware interrupts do not
    EXPECT_EQ(run({0xF1}), kJumped);
    EXPECT_EQ(vcpu.eip, kHandler + 1);
    EXPECT_EQ(stack32(0), kCodeAt + 1);
    vcpu = before;
    EXPECT_EQ(interrupt(0x80), Delivery::delivered);
}

TEST_F(Deliver, GateFaultsAndTheirErrorCodes) {
    struct Case {
        const char* what;
        std::uint8_t access;
        std::uint16_t selector;
        std::uint32_t offset;
        std::uint8_t fault;
        std::uint32_t code; // EXT included: the event is external
    };
    define(kTestSel, kCode & 0x7F, 0, 0xFFFFF, 0xC); // not present
    define(kFree, kCode, 0, 0xFFF, 0);
    const Case cases[] = {
        {"call gate in the IDT", kCallGate32Type, kCode0, 0, 13, 0x21 * 8 + 3},
        {"data segment in the IDT", kData, kCode0, 0, 13, 0x21 * 8 + 3},
        {"gate not present", 0x0E, kCode0, 0, 11, 0x21 * 8 + 3},
        {"null code selector", kIntGate32, 0, 0, 13, 1},
        {"selector past the GDT", kIntGate32, 0x200, 0, 13, 0x201},
        {"no LDT", kIntGate32, 0x0C, 0, 13, 0x0D},
        {"data segment as handler", kIntGate32, kData0, 0, 13, kData0 + 1U},
        {"outer code segment", kIntGate32, kCode3, 0, 13, (kCode3 & ~3U) + 1U},
        {"code not present", kIntGate32, kTestSel, 0, 11, kTestSel + 1U},
        {"offset past the limit", kIntGate32, kFree, 0x1000, 13, 1},
        {"task gate to the LDT", kTaskGateType, 0x0C, 0, 13, 0x0D},
        {"task gate to a busy TSS", kTaskGateType, kTssSel, 0, 13, kTssSel + 1U},
        {"task gate to a code segment", kTaskGateType, kCode0, 0, 13, kCode0 + 1U},
    };
    const VCpu before = vcpu;
    for (const Case& one : cases) {
        vcpu = before;
        idt(0x21, one.access, one.selector, one.offset);
        ASSERT_EQ(interrupt(0x21), Delivery::delivered) << one.what;
        EXPECT_EQ(vcpu.eip, kHandler + one.fault) << one.what;
        EXPECT_EQ(stack32(0), one.code) << one.what;
        EXPECT_EQ(stack32(1), kCodeAt) << one.what;
        EXPECT_EQ(vcpu.gpr[kEsp], kStack0 - 16) << one.what << ": nothing of the first event is on the stack";
    }
    vcpu = before;
    vcpu.idtr.limit = 0x21 * 8 + 6;
    ASSERT_EQ(interrupt(0x21), Delivery::delivered);
    expect_handler(13, 0x21 * 8 + 3);
}

TEST_F(Deliver, InnerStackFaults) {
    struct Case {
        const char* what;
        std::uint16_t ss;
        std::uint32_t esp;
        std::uint16_t tss_limit;
        std::uint8_t fault;
        std::uint32_t code;
    };
    define(kTestSel, kData & 0x7F, 0, 0xFFFFF, 0xC);
    define(kFree, kData, 0, 0xFFF, 4);
    const Case cases[] = {
        {"TSS too short for SS1", kData1, kStack1, 17 - 1, 10, kTssSel + 1U},
        {"null SS", 0, kStack1, 0x67, 10, 1},
        {"RPL is not the new CPL", kData1 & ~3U, kStack1, 0x67, 10, (kData1 & ~3U) + 1U},
        {"DPL is not the new CPL", kData0 | 1, kStack1, 0x67, 10, kData0 + 1U},
        {"code segment", kCode1, kStack1, 0x67, 10, (kCode1 & ~3U) + 1U},
        {"past the GDT", 0x201, kStack1, 0x67, 10, 0x201},
    };
    enter(3);
    const VCpu before = vcpu;
    idt(0x21, kIntGate32, kCode1, kHandler);
    for (const Case& one : cases) {
        vcpu = before;
        memory.put<std::uint32_t>(kTss + 12, one.esp);
        memory.put<std::uint16_t>(kTss + 16, one.ss);
        vcpu.tr.limit = one.tss_limit;
        ASSERT_EQ(interrupt(0x21), Delivery::delivered) << one.what;
        EXPECT_EQ(vcpu.eip, kHandler + one.fault) << one.what;
        EXPECT_EQ(stack32(0), one.code) << one.what;
        EXPECT_EQ(stack32(4), kStack3) << one.what;
    }
    // Not present, and no room: #SS with the new selector.
    define(kTestSel, (kData & 0x7F) | 0x20, 0, 0xFFFFF, 0xC);
    define(kFree, kData | 0x20, 0, 0xFFF, 4);
    for (const std::uint16_t ss : {kTestSel, kFree}) {
        vcpu = before;
        memory.put<std::uint32_t>(kTss + 12, kStack1);
        memory.put<std::uint16_t>(kTss + 16, ss | 1);
        ASSERT_EQ(interrupt(0x21), Delivery::delivered);
        expect_handler(12, ss + 1U);
    }
}

TEST_F(Deliver, NothingIsWrittenWhenThePushFaults) {
    enter(3);
    const VCpu before = vcpu;
    const auto bytes = memory.bytes();
    memory.read_only = {(kStack0 - 1) >> 12};
    idt(14, kTaskGateType, 0, 0); // and the page fault that follows cannot be delivered: shutdown
    idt(13, kTaskGateType, 0, 0);
    idt(8, kTaskGateType, 0, 0);
    auto want = memory.bytes();
    EXPECT_EQ(interrupt(0x21), Delivery::shutdown);
    EXPECT_EQ(vcpu.gpr, before.gpr);
    EXPECT_EQ(vcpu.cr2, kStack0 - 4) << "the first slot pushed";
    EXPECT_EQ(vcpu.segments, before.segments);
    EXPECT_EQ(vcpu.eip, before.eip);
    EXPECT_EQ(vcpu.eflags, before.eflags);
    want[kGdt + kData0 + 5] |= std::byte{1}; // accessed bits may be set
    want[kGdt + kCode0 + 5] |= std::byte{1};
    EXPECT_EQ(memory.bytes(), want);
}

TEST_F(Deliver, FrameAcrossPagesFaultsAtTheFirstPush) {
    enter(3);
    memory.put<std::uint32_t>(kTss + 4, 0x9008); // two slots above the page border
    memory.missing = {8};
    idt(14, kTaskGateType, kOtherTssSel, 0);
    EXPECT_EQ(combine(Event::interrupt(0x21), GuestFault::page(0x8FFC, 2))->vector, 14);
    (void)interrupt(0x21);
    EXPECT_EQ(vcpu.cr2, 0x8FFCU);
}

/// SDM Vol. 3 table 6-5, for every pair of exceptions; what comes first is never shown twice.
TEST(DoubleFault, Table) {
    const std::set<unsigned> contributory{0, 10, 11, 12, 13};
    for (unsigned first = 0; first < 20; ++first) {
        for (unsigned second = 0; second < 20; ++second) {
            if (second == 8) continue; // no delivery raises it by itself
            const auto one = static_cast<std::uint8_t>(first), two = static_cast<std::uint8_t>(second);
            const auto result = combine(Event::from_fault(GuestFault::with_code(one, 4)), GuestFault::with_code(two, 8));
            const bool serious = contributory.contains(second) || second == 14;
            if (first == 8 && serious) {
                EXPECT_FALSE(result.has_value()) << second;
            } else if ((contributory.contains(first) && contributory.contains(second)) || (first == 14 && serious)) {
                ASSERT_TRUE(result.has_value());
                EXPECT_EQ(result->vector, 8) << first << " " << second;
                EXPECT_TRUE(result->has_error_code);
                EXPECT_EQ(result->error_code, 0U);
            } else {
                ASSERT_TRUE(result.has_value());
                EXPECT_EQ(result->vector, second) << first;
                EXPECT_EQ(result->error_code, 8U);
            }
        }
    }
}

TEST(DoubleFault, InterruptsAreBenign) {
    // INT 13 is not a general protection fault.
    const Event software{13, EventSource::software_int, false, 0, 0, 2};
    EXPECT_EQ(combine(software, GuestFault::with_code(13, 0x6A))->vector, 13);
    EXPECT_EQ(combine(Event::interrupt(14), GuestFault::page(0, 0))->vector, 14);
}

TEST_F(Deliver, DoubleFaultReachesItsHandler) {
    idt(11, 0x0E, kCode0, 0); // #NP's own gate is not present: #NP in #NP
    ASSERT_EQ(raise(GuestFault::with_code(11, 0x40)), Delivery::delivered);
    expect_handler(8, 0);
    EXPECT_EQ(stack32(1), kCodeAt);
}

TEST_F(Deliver, TripleFault) {
    vcpu.idtr.limit = 0;
    EXPECT_EQ(interrupt(0x21), Delivery::shutdown);
    EXPECT_EQ(run({0xCD, 0x21}).kind, Outcome::Kind::shutdown);
    EXPECT_EQ(vcpu.eip, kCodeAt);
}

TEST_F(Deliver, PageFaultInTheIdtIsSerial) {
    memory.missing = {kIdt >> 12};
    EXPECT_EQ(interrupt(0x21), Delivery::shutdown); // #PF, its gate too: #DF, again: shutdown
    EXPECT_EQ(vcpu.cr2, kIdt + 8 * 8);
}

TEST_F(Deliver, ResumeFlagInTheImage) {
    // Set for faults, as it was for traps and interrupts (SDM Vol. 3 section 17.3.1.1).
    for (const bool rf : {false, true}) {
        for (unsigned v = 0; v < 20; ++v) {
            if (v == 9 || v == 15 || v == 18) continue;
            const bool fault_class = v != 1 && v != 2 && v != 3 && v != 4 && v != 8;
            enter(0);
            vcpu.eflags = eflags::kFixed | (rf ? eflags::kResume : 0);
            ASSERT_EQ(raise(GuestFault::plain(static_cast<std::uint8_t>(v))), Delivery::delivered);
            EXPECT_EQ((stack32(2) & eflags::kResume) != 0, fault_class || rf) << v;
            EXPECT_EQ(vcpu.eflags & eflags::kResume, 0U);
        }
        enter(0);
        vcpu.eflags = eflags::kFixed | (rf ? eflags::kResume : 0);
        ASSERT_EQ(interrupt(0x20), Delivery::delivered);
        EXPECT_EQ((stack32(2) & eflags::kResume) != 0, rf);
    }
}

TEST_F(Deliver, DebugExceptionClearsGeneralDetect) {
    vcpu.dr[7] |= 1U << 13;
    ASSERT_EQ(raise(GuestFault::plain(1)), Delivery::delivered);
    EXPECT_EQ(vcpu.dr[7], 0x400U);
}

TEST_F(Deliver, WakesAndEndsTheShadow) {
    vcpu.halted = true;
    vcpu.shadow = InterruptShadow::sti;
    ASSERT_EQ(interrupt(0x21), Delivery::delivered);
    EXPECT_FALSE(vcpu.halted);
    EXPECT_EQ(vcpu.shadow, InterruptShadow::none);
}

TEST_F(Deliver, FromVirtual8086) {
    enter_v86(3);
    vcpu.gpr[kEsp] = 0xFFFF0100;
    const std::uint32_t flags = vcpu.eflags;
    ASSERT_EQ(raise(GuestFault::with_code(13, 0)), Delivery::delivered);
    EXPECT_EQ(vcpu.cpl, 0);
    EXPECT_FALSE(vcpu.virtual_8086());
    EXPECT_EQ(vcpu.gpr[kEsp], kStack0 - 40);
    const std::uint32_t frame[] = {0,      0x20,   0x1000, flags | eflags::kResume, 0xFFFF0100,
                                   0x0B00, 0x1200, 0x1100, 0x1300,                  0x1400};
    for (unsigned i = 0; i < 10; ++i) EXPECT_EQ(stack32(i), frame[i]) << i;
    for (const Segment segment : {Segment::ds, Segment::es, Segment::fs, Segment::gs})
        EXPECT_EQ(vcpu.segment(segment), (SegmentCache{0, 0, 0, 0, false}));
}

TEST_F(Deliver, FromVirtual8086OnlyToRing0) {
    enter_v86(3);
    idt(0x21, kIntGate32, kCode1, kHandler);
    ASSERT_EQ(interrupt(0x21), Delivery::delivered);
    expect_handler(13, (kCode1 & ~3U) + 1U);
    vcpu.eflags = eflags::kFixed;
    enter_v86(3);
    idt(0x21, kIntGate32, kConformingSel, kHandler);
    ASSERT_EQ(interrupt(0x21), Delivery::delivered);
    expect_handler(13, kConformingSel + 1U);
}

TEST_F(Deliver, SoftwareInterruptInVirtual8086) {
    idt(0x21, dpl3(kIntGate32), kCode0, kHandler);
    idt(3, dpl3(kIntGate32), kCode0, kHandler + 3);
    for (unsigned iopl = 0; iopl < 4; ++iopl) {
        vcpu.eflags = eflags::kFixed;
        enter_v86(iopl);
        EXPECT_EQ(run({0xCD, 0x21}), kJumped);
        if (iopl == 3) {
            EXPECT_EQ(vcpu.eip, kHandler);
            EXPECT_EQ(stack32(0), 0x22U);
        } else {
            expect_handler(13, 0);
            EXPECT_EQ(stack32(1), 0x20U);
        }
        vcpu.eflags = eflags::kFixed;
        enter_v86(iopl);
        EXPECT_EQ(run({0xCC}), kJumped) << "INT3 does not look at IOPL";
        EXPECT_EQ(vcpu.eip, kHandler + 3);
    }
}

TEST_F(Deliver, RealMode) {
    enter_real();
    memory.put<std::uint16_t>(0x21 * 4, 0x5678);
    memory.put<std::uint16_t>(0x21 * 4 + 2, 0x2000);
    vcpu.eflags |= eflags::kTrap | eflags::kAlignmentCheck | eflags::kCarry;
    const auto flags = static_cast<std::uint16_t>(vcpu.eflags);
    ASSERT_EQ(interrupt(0x21), Delivery::delivered);
    EXPECT_EQ(cs().selector, 0x2000);
    EXPECT_EQ(cs().base, 0x20000U);
    EXPECT_EQ(vcpu.eip, 0x5678U);
    EXPECT_EQ(vcpu.gpr[kEsp], 0x7FFAU);
    EXPECT_EQ(stack16(0), 0x20);
    EXPECT_EQ(stack16(1), 0x1000);
    EXPECT_EQ(stack16(2), flags);
    EXPECT_EQ(vcpu.eflags, eflags::kFixed | eflags::kCarry);
}

TEST_F(Deliver, RealModeHasNoErrorCodes) {
    enter_real();
    ASSERT_EQ(raise(GuestFault::with_code(13, 0)), Delivery::delivered);
    EXPECT_EQ(vcpu.gpr[kEsp], 0x7FFAU);
}

TEST_F(Deliver, RealModeStackWraps) {
    enter_real();
    vcpu.gpr[kEsp] = 4;
    ASSERT_EQ(interrupt(0x21), Delivery::delivered);
    EXPECT_EQ(vcpu.gpr[kEsp], 0xFFFEU);
    EXPECT_EQ(memory.get<std::uint16_t>(2), 0x202);
    EXPECT_EQ(memory.get<std::uint16_t>(0), 0x1000);
    EXPECT_EQ(memory.get<std::uint16_t>(0xFFFE), 0x20);
}

TEST_F(Deliver, RealModeOddStackShutsDown) {
    enter_real();
    vcpu.gpr[kEsp] = 1; // no word fits: #SS, then #DF, then shutdown
    EXPECT_EQ(interrupt(0x21), Delivery::shutdown);
    EXPECT_EQ(vcpu.gpr[kEsp], 1U);
}

} // namespace
} // namespace ringone::vmm
