// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "machine.hpp"

namespace ringone::vmm {
namespace {

constexpr std::uint32_t kTarget = 0x12345;
constexpr std::uint32_t kAllFlags = 0x003F7FD7; // every bit that exists
constexpr std::uint32_t kUserBits = 0x244DD5;   // CF PF AF ZF SF TF DF OF NT AC ID: SDM Vol. 2 IRET

struct InterruptReturn : Machine {
    void push32(std::initializer_list<std::uint32_t> values) {
        for (const std::uint32_t value : values) ASSERT_EQ(stack_push(vcpu, memory, value, 4), std::nullopt);
    }
    void push16(std::initializer_list<std::uint32_t> values) {
        for (const std::uint32_t value : values) ASSERT_EQ(stack_push(vcpu, memory, value, 2), std::nullopt);
    }
    Outcome iretd() { return run({0xCF}); }
};

/// Which flags IRETD changes, for every CPL and IOPL.
TEST_F(InterruptReturn, FlagsByPrivilege) {
    const std::uint16_t code[] = {kCode0, kCode1, 0, kCode3};
    for (const unsigned cpl : {0U, 1U, 3U}) {
        for (unsigned iopl = 0; iopl < 4; ++iopl) {
            for (const bool set : {false, true}) {
                enter(cpl);
                const std::uint32_t before = set ? (iopl << 12) | 2 : (kAllFlags & ~0x27000U) | (iopl << 12); // VM, NT clear
                vcpu.eflags = before;
                const std::uint32_t popped = set ? kAllFlags & ~0x20000U : 0;
                push32({popped, code[cpl], kTarget});
                ASSERT_EQ(iretd(), kJumped);
                std::uint32_t changed = kUserBits | 0x10000; // RF, too
                changed &= ~0x1000U & ~0x2000U;
                if (cpl <= iopl) changed |= 0x200;
                if (cpl == 0) changed |= 0x183000;
                ASSERT_EQ(vcpu.eflags, (before & ~changed) | (popped & changed) | 2) << cpl << " " << iopl;
            }
        }
    }
}

TEST_F(InterruptReturn, SamePrivilege) {
    push32({0x202, kCode0, kTarget});
    EXPECT_EQ(iretd(), kJumped);
    EXPECT_EQ(vcpu.eip, kTarget);
    EXPECT_EQ(vcpu.gpr[kEsp], kStack0);
    push16({0x0002, kCode0, 0x2345});
    vcpu.eflags |= 0x200000;
    EXPECT_EQ(run({0x66, 0xCF}), kJumped);
    EXPECT_EQ(vcpu.eip, 0x2345U);
    EXPECT_EQ(vcpu.eflags, 0x200002U) << "the upper half is not popped";
}

TEST_F(InterruptReturn, OuterPrivilege) {
    push32({kData3, kStack3, 0x3202, kCode3, kTarget});
    EXPECT_EQ(iretd(), kJumped);
    EXPECT_EQ(vcpu.cpl, 3);
    EXPECT_EQ(cs().selector, kCode3);
    EXPECT_EQ(vcpu.gpr[kEsp], kStack3);
    EXPECT_EQ(vcpu.segment(Segment::ss).selector, kData3);
    EXPECT_EQ(vcpu.iopl(), 3U) << "popped at CPL 0";
    EXPECT_FALSE(vcpu.segment(Segment::ds).usable);
}

TEST_F(InterruptReturn, ToASixteenBitStackKeepsUpperEsp) {
    // What Linux's espfix is about.
    define(kTestSel, dpl3(kData), 0, 0xFFFF, 0);
    push32({kTestSel | 3, 0xDEAD'1234, 0x202, kCode3, kTarget});
    vcpu.gpr[kEsp] |= 0;
    EXPECT_EQ(iretd(), kJumped);
    EXPECT_EQ(vcpu.gpr[kEsp], (kStack0 & 0xFFFF0000) | 0x1234U);
}

TEST_F(InterruptReturn, FaultsLeaveEverything) {
    const struct {
        std::uint32_t cs, ss, eip;
        Outcome want;
    } cases[] = {{0, kData3, 0, gp()},
                 {kData0, kData3, 0, gp(kData0)},
                 {0x100, kData3, 0, gp(0x100)},
                 {kCode3, 0, 0, gp()},
                 {kCode3, kData0, 0, gp(kData0)},
                 {kCode3 & ~3U, kData3, 0, gp(kCode3 & ~3U)},
                 {kTestSel | 3, kData3, 0x1000, gp()},
                 {kFree | 3, kData3, 0, faulted(11, kFree)}};
    define(kTestSel, dpl3(kCode), 0, 0xFFF, 4);
    define(kFree, dpl3(kCode) & 0x7F, 0, 0xFFF, 4);
    for (const auto& one : cases) {
        enter(0);
        push32({one.ss, kStack3, 0x202, one.cs, one.eip});
        const VCpu before = vcpu;
        EXPECT_EQ(iretd(), one.want) << one.cs;
        EXPECT_TRUE(same_state(vcpu, before)) << one.cs;
    }
    enter(3);
    push32({0x202, kCode0, kTarget});
    EXPECT_EQ(iretd(), gp(kCode0)) << "no way inwards";
}

TEST_F(InterruptReturn, ToVirtual8086AndBack) {
    idt(13, kIntGate32, kCode0, kTarget);
    push32({0x1400, 0x1300, 0x1100, 0x1200, 0x0B00, 0x100, 0x23202, 0x1000, 0x20});
    EXPECT_EQ(iretd(), kJumped);
    EXPECT_TRUE(vcpu.virtual_8086());
    EXPECT_EQ(vcpu.cpl, 3);
    EXPECT_EQ(vcpu.eip, 0x20U);
    EXPECT_EQ(vcpu.gpr[kEsp], 0x100U);
    EXPECT_EQ(vcpu.eflags, 0x23202U);
    const std::pair<Segment, std::uint16_t> all[] = {{Segment::cs, 0x1000}, {Segment::ss, 0x0B00}, {Segment::ds, 0x1100},
                                                     {Segment::es, 0x1200}, {Segment::fs, 0x1300}, {Segment::gs, 0x1400}};
    for (const auto& [segment, selector] : all)
        EXPECT_EQ(vcpu.segment(segment), (SegmentCache{selector, 0xF3, selector * 16U, 0xFFFF, true}));
    const VCpu inside = vcpu;
    ASSERT_EQ(raise(GuestFault::with_code(13, 0)), Delivery::delivered);
    vcpu.gpr[kEsp] += 4;
    EXPECT_EQ(iretd(), kJumped);
    VCpu want = inside;
    want.eflags |= eflags::kResume;
    EXPECT_TRUE(same_state(vcpu, want)) << "a round trip through the monitor's handler";
}

TEST_F(InterruptReturn, VmFlagIsIgnoredAboveLevelZero) {
    enter(1);
    push32({0x20002, kCode1, kTarget});
    EXPECT_EQ(iretd(), kJumped);
    EXPECT_FALSE(vcpu.virtual_8086());
}

TEST_F(InterruptReturn, InVirtual8086) {
    for (unsigned iopl = 0; iopl < 4; ++iopl) {
        vcpu.eflags = eflags::kFixed;
        enter_v86(iopl);
        push16({0x7ED5, 0x2000, 0x44});
        const VCpu before = vcpu;
        if (iopl < 3) {
            EXPECT_EQ(run({0xCF}), gp());
            EXPECT_TRUE(same_state(vcpu, before));
            continue;
        }
        EXPECT_EQ(run({0xCF}), kJumped);
        EXPECT_EQ(cs(), (SegmentCache{0x2000, 0xF3, 0x20000, 0xFFFF, true}));
        EXPECT_EQ(vcpu.eip, 0x44U);
        EXPECT_EQ(vcpu.eflags, 0x20000U | 0x7ED7U) << "IOPL stays 3, VM stays";
    }
}

TEST_F(InterruptReturn, RealMode) {
    enter_real();
    push16({0xFFFF, 0x2000, 0x44});
    EXPECT_EQ(run({0xCF}), kJumped);
    EXPECT_EQ(cs().base, 0x20000U);
    EXPECT_EQ(vcpu.eflags, 0x7FD7U);
    EXPECT_EQ(vcpu.gpr[kEsp], 0x8000U);
}

struct Flags : InterruptReturn {};

/// SDM Vol. 2, POPF table 4-16, for every mode, IOPL and operand size.
TEST_F(Flags, PopfByPrivilege) {
    for (const bool wide : {false, true}) {
        for (const int mode : {0, 1, 3, 86, 16}) { // CPL; virtual-8086; real-address
            for (unsigned iopl = 0; iopl < 4; ++iopl) {
                vcpu.eflags = eflags::kFixed;
                if (mode == 86) enter_v86(iopl);
                else if (mode == 16) enter_real();
                else SetUp(), enter(static_cast<unsigned>(mode));
                const std::uint32_t vm = mode == 86 ? 0x20000 : 0;
                vcpu.eflags = 2 | (iopl << 12) | vm;
                const std::uint32_t before = vcpu.eflags;
                const bool small = mode == 86 || mode == 16;
                if (wide) push32({0xFFFFFFFF});
                else push16({0xFFFF});
                const VCpu state = vcpu;
                const Outcome got = wide == small ? run({0x66, 0x9D}) : run({0x9D});
                if (mode == 86 && iopl < 3) {
                    ASSERT_EQ(got, gp());
                    ASSERT_TRUE(same_state(vcpu, state));
                    if (mode == 86) SetUp();
                    continue;
                }
                std::uint32_t changed = 0x4DD5 | (wide ? 0x240000U : 0U); // status, TF, DF, NT; AC, ID
                const bool level_zero = mode == 0 || mode == 16;
                if (level_zero) changed |= 0x3200;
                else if (mode == 86 || static_cast<unsigned>(mode) <= iopl) changed |= 0x200;
                ASSERT_EQ(got, kNext);
                ASSERT_EQ(vcpu.eflags, before | changed) << wide << " " << mode << " " << iopl;
                SetUp();
            }
        }
    }
}

TEST_F(Flags, Pushf) {
    vcpu.eflags = 0x003F7FD7 & ~0x20000U;
    EXPECT_EQ(run({0x9C}), kNext);
    EXPECT_EQ(stack32(0), 0x003C7FD7U) << "RF and VM read as 0";
    EXPECT_EQ(run({0x66, 0x9C}), kNext);
    EXPECT_EQ(vcpu.gpr[kEsp], kStack0 - 6);
    EXPECT_EQ(stack16(0), 0x7FD7);
    vcpu.eflags = eflags::kFixed;
    enter_v86(2);
    EXPECT_EQ(run({0x9C}), gp());
    vcpu.eflags |= eflags::kIopl;
    EXPECT_EQ(run({0x9C}), kNext);
    EXPECT_EQ(stack16(0), 0x3002);
}

TEST_F(Flags, CliSti) {
    for (const unsigned cpl : {0U, 1U, 3U}) {
        for (unsigned iopl = 0; iopl < 4; ++iopl) {
            enter(cpl);
            vcpu.eflags = 2 | (iopl << 12);
            if (cpl > iopl) {
                EXPECT_EQ(run({0xFA}), gp());
                EXPECT_EQ(run({0xFB}), gp());
                continue;
            }
            EXPECT_EQ(run({0xFB}), kNext);
            EXPECT_EQ(vcpu.eflags, 0x202U | (iopl << 12));
            EXPECT_EQ(vcpu.shadow, InterruptShadow::sti);
            EXPECT_EQ(run({0xFB}), kNext);
            EXPECT_EQ(vcpu.shadow, InterruptShadow::none) << "only when IF was clear";
            EXPECT_EQ(run({0xFA}), kNext);
            EXPECT_EQ(vcpu.eflags, 2 | (iopl << 12));
        }
    }
    enter_v86(0);
    vcpu.eflags = 0x22002;
    EXPECT_EQ(run({0xFB}), gp());
    vcpu.eflags = 0x23002;
    EXPECT_EQ(run({0xFB}), kNext);
}

} // namespace
} // namespace ringone::vmm
