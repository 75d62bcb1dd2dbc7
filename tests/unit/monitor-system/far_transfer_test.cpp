// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "machine.hpp"

#include "vmm/monitor/system/far_transfer.hpp"

namespace ringone::vmm {
namespace {

constexpr std::uint32_t kTarget = 0x12345;

struct FarTransfer : Machine {
    MaybeFault go(bool call, std::uint16_t selector, std::uint32_t offset = kTarget, std::uint32_t size = 4) {
        const FarTarget target{selector, offset, size, vcpu.eip + 7};
        return call ? far_call(vcpu, memory, hooks, target) : far_jump(vcpu, memory, hooks, target);
    }
};

/// SDM Vol. 2 JMP and CALL: every type, DPL, RPL, CPL and presence of what the selector names directly.
TEST_F(FarTransfer, DirectToEveryDescriptor) {
    const std::set<unsigned> plain_code{0x18, 0x19, 0x1A, 0x1B}, conforming{0x1C, 0x1D, 0x1E, 0x1F};
    const std::set<unsigned> other_system{1, 3, 4, 5, 9, 11, 12}; // gates and TSSs have tests of their own
    for (unsigned s_type = 0; s_type < 32; ++s_type) {
        if (other_system.contains(s_type)) continue;
        for (unsigned bits = 0; bits < 256; ++bits) {
            const unsigned dpl = bits & 3, rpl_bits = (bits >> 2) & 3, cpl = (bits >> 4) & 3;
            const bool present = (bits & 64) != 0, call = (bits & 128) != 0;
            if (cpl == 2) continue;
            const auto selector = static_cast<std::uint16_t>(kTestSel | rpl_bits);
            enter(cpl);
            define(selector, static_cast<std::uint8_t>(s_type | (dpl << 5) | (present ? 0x80U : 0U)), 0, 0xFFFFF, 0xC);
            const VCpu before = vcpu;
            const bool allowed = plain_code.contains(s_type)    ? rpl_bits <= cpl && dpl == cpl
                                 : conforming.contains(s_type) ? dpl <= cpl
                                                               : false;
            const MaybeFault got = go(call, selector);
            if (!allowed) {
                ASSERT_EQ(got, GuestFault::with_code(13, kTestSel)) << s_type << " " << bits;
            } else if (!present) {
                ASSERT_EQ(got, GuestFault::with_code(11, kTestSel)) << s_type << " " << bits;
            } else {
                ASSERT_EQ(got, std::nullopt) << s_type << " " << bits;
                ASSERT_EQ(vcpu.eip, kTarget);
                ASSERT_EQ(cs().selector, kTestSel | cpl);
                ASSERT_EQ(vcpu.cpl, cpl);
                ASSERT_EQ(access_byte(kTestSel) & 1, 1);
                if (call) {
                    ASSERT_EQ(stack32(0), before.eip + 7);
                    ASSERT_EQ(stack32(1), before.segment(Segment::cs).selector);
                }
                ASSERT_EQ(vcpu.gpr[kEsp], before.gpr[kEsp] - (call ? 8 : 0));
                continue;
            }
            ASSERT_TRUE(same_state(vcpu, before));
        }
    }
}

TEST_F(FarTransfer, SelectorAndLimitFaults) {
    define(kFree, kCode, 0, 0xFFF, 4);
    for (const bool call : {false, true}) {
        EXPECT_EQ(go(call, 0), GuestFault::with_code(13, 0));
        EXPECT_EQ(go(call, 3), GuestFault::with_code(13, 0));
        EXPECT_EQ(go(call, 0x103), GuestFault::with_code(13, 0x100));
        EXPECT_EQ(go(call, kFree, 0x1000), GuestFault::with_code(13, 0));
        EXPECT_EQ(go(call, kFree, 0xFFF), std::nullopt);
        enter(0);
    }
    vcpu.gpr[kEsp] = 4; // the push wraps to the end of memory, which is not there
    EXPECT_EQ(go(true, kCode0), GuestFault::page(0xFFFFFFFC, 2));
    EXPECT_EQ(vcpu.gpr[kEsp], 4U);
    vcpu.segment(Segment::ss).limit = 0xFFF;
    vcpu.gpr[kEsp] = 0x1004;
    EXPECT_EQ(go(true, kCode0), GuestFault::with_code(12, 0));
}

TEST_F(FarTransfer, CallGatePrivileges) {
    // SDM Vol. 3 section 5.8.4, table 5-2: CPL <= gate DPL, RPL <= gate DPL; CALL: code DPL <= CPL; JMP to nonconforming: equal.
    for (unsigned bits = 0; bits < 1024; ++bits) {
        const unsigned gate_dpl = bits & 3, rpl_bits = (bits >> 2) & 3, cpl = (bits >> 4) & 3, code_dpl = (bits >> 6) & 3;
        const bool call = (bits & 256) != 0, conforming = (bits & 512) != 0;
        if (cpl == 2 || code_dpl == 2) continue;
        enter(cpl);
        define(kTestSel, static_cast<std::uint8_t>((conforming ? kConforming : kCode) | (code_dpl << 5)), 0, 0xFFFFF, 0xC);
        gate(kGdt, kFree, static_cast<std::uint8_t>(kCallGate32Type | (gate_dpl << 5)), kTestSel, kTarget);
        const VCpu before = vcpu;
        const MaybeFault got = go(call, static_cast<std::uint16_t>(kFree | rpl_bits), 0xDEAD);
        const bool gate_ok = cpl <= gate_dpl && rpl_bits <= gate_dpl;
        const bool code_ok = call || conforming ? code_dpl <= cpl : code_dpl == cpl;
        if (!gate_ok) {
            ASSERT_EQ(got, GuestFault::with_code(13, kFree)) << bits;
            ASSERT_TRUE(same_state(vcpu, before));
        } else if (!code_ok) {
            ASSERT_EQ(got, GuestFault::with_code(13, kTestSel)) << bits;
            ASSERT_TRUE(same_state(vcpu, before));
        } else {
            const unsigned level = call && !conforming ? code_dpl : cpl;
            ASSERT_EQ(got, std::nullopt) << bits;
            ASSERT_EQ(vcpu.eip, kTarget);
            ASSERT_EQ(vcpu.cpl, level);
            ASSERT_EQ(cs().selector, kTestSel | level);
            const std::uint32_t from = level == cpl ? before.gpr[kEsp] : level == 0 ? kStack0 : kStack1;
            ASSERT_EQ(vcpu.gpr[kEsp], from - (!call ? 0U : level == cpl ? 8U : 16U));
        }
    }
}

TEST_F(FarTransfer, CallGateCopiesParameters) {
    enter(3);
    for (unsigned i = 0; i < 31; ++i) memory.put<std::uint32_t>(kStack3 - 200 + 4 * i, 0x1000 + i);
    vcpu.gpr[kEsp] = kStack3 - 200;
    for (const unsigned count : {0U, 1U, 31U}) {
        const VCpu before = vcpu;
        gate(kGdt, kFree, dpl3(kCallGate32Type), kCode0, kTarget, count);
        ASSERT_EQ(go(true, kFree | 3), std::nullopt);
        EXPECT_EQ(vcpu.gpr[kEsp], kStack0 - 16 - 4 * count);
        EXPECT_EQ(stack32(0), kCodeAt + 7);
        EXPECT_EQ(stack32(1), kCode3);
        for (unsigned i = 0; i < count; ++i) EXPECT_EQ(stack32(2 + i), 0x1000 + i);
        EXPECT_EQ(stack32(2 + count), kStack3 - 200);
        EXPECT_EQ(stack32(3 + count), kData3);
        // And back: RET n releases the parameters on both stacks.
        ASSERT_EQ(far_return(vcpu, memory, 4, 4 * count), std::nullopt);
        EXPECT_EQ(vcpu.cpl, 3);
        EXPECT_EQ(cs().selector, kCode3);
        EXPECT_EQ(vcpu.eip, kCodeAt + 7);
        EXPECT_EQ(vcpu.gpr[kEsp], kStack3 - 200 + 4 * count);
        EXPECT_EQ(vcpu.segment(Segment::ss).selector, kData3);
        vcpu = before;
    }
}

TEST_F(FarTransfer, SixteenBitCallGate) {
    enter(3);
    memory.put<std::uint16_t>(kStack3 - 2, 0xBEEF);
    vcpu.gpr[kEsp] = kStack3 - 2;
    gate(kGdt, kFree, dpl3(kCallGate16Type), kCode0, 0xFFFF2345, 1);
    ASSERT_EQ(go(true, kFree), std::nullopt);
    EXPECT_EQ(vcpu.eip, 0x2345U);
    EXPECT_EQ(vcpu.gpr[kEsp], kStack0 - 10);
    const std::uint16_t frame[] = {(kCodeAt + 7) & 0xFFFF, kCode3, 0xBEEF, (kStack3 - 2) & 0xFFFF, kData3};
    for (unsigned i = 0; i < 5; ++i) EXPECT_EQ(stack16(i), frame[i]) << i;
}

TEST_F(FarTransfer, CallGateFaults) {
    enter(3);
    const VCpu before = vcpu;
    gate(kGdt, kFree, dpl3(kCallGate32Type) & 0x7F, kCode0, kTarget);
    EXPECT_EQ(go(true, kFree), GuestFault::with_code(11, kFree));
    gate(kGdt, kFree, dpl3(kCallGate32Type), 0, kTarget);
    EXPECT_EQ(go(true, kFree), GuestFault::with_code(13, 0));
    gate(kGdt, kFree, dpl3(kCallGate32Type), 0x100, kTarget);
    EXPECT_EQ(go(true, kFree), GuestFault::with_code(13, 0x100));
    gate(kGdt, kFree, dpl3(kCallGate32Type), kData0, kTarget);
    EXPECT_EQ(go(true, kFree), GuestFault::with_code(13, kData0));
    define(kTestSel, kCode & 0x7F, 0, 0xFFFFF, 0xC);
    gate(kGdt, kFree, dpl3(kCallGate32Type), kTestSel, kTarget);
    EXPECT_EQ(go(true, kFree), GuestFault::with_code(11, kTestSel));
    define(kTestSel, kCode, 0, 0xFFF, 0);
    EXPECT_EQ(go(true, kFree), GuestFault::with_code(13, 0)) << "offset past the limit";
    gate(kGdt, kFree, dpl3(kCallGate32Type), kCode0, kTarget);
    memory.put<std::uint16_t>(kTss + 8, kData3);
    EXPECT_EQ(go(true, kFree), GuestFault::with_code(10, kData3 & ~3U));
    define(kTestSel, kData, 0, 0xFFF, 4);
    memory.put<std::uint16_t>(kTss + 8, kTestSel);
    EXPECT_EQ(go(true, kFree), GuestFault::with_code(12, kTestSel)) << "no room on the inner stack";
    EXPECT_TRUE(same_state(vcpu, before));
}

TEST_F(FarTransfer, InstructionForms) {
    EXPECT_EQ(run({0xEA, 0x45, 0x23, 0x01, 0x00, kConformingSel, 0}), kJumped);
    EXPECT_EQ(vcpu.eip, kTarget);
    enter(0);
    EXPECT_EQ(run({0x66, 0x9A, 0x45, 0x23, kCode0, 0}), kJumped); // 16-bit call
    EXPECT_EQ(vcpu.eip, 0x2345U);
    EXPECT_EQ(vcpu.gpr[kEsp], kStack0 - 4);
    EXPECT_EQ(stack16(0), (kCodeAt + 6) & 0xFFFF);
    EXPECT_EQ(stack16(1), kCode0);
    enter(0);
    vcpu.gpr[kEax] = 0x8000;
    memory.put<std::uint32_t>(0x8000, kTarget);
    memory.put<std::uint16_t>(0x8004, kCode0);
    EXPECT_EQ(run({0xFF, 0x18}), kJumped); // call m16:32
    EXPECT_EQ(vcpu.eip, kTarget);
    EXPECT_EQ(stack32(0), kCodeAt + 2);
    memory.put<std::uint16_t>(0x8002, kCode0);
    EXPECT_EQ(run({0x66, 0xFF, 0x28}), kJumped); // jmp m16:16
    EXPECT_EQ(vcpu.eip, 0x2345U);
    EXPECT_EQ(run({0xCB}), kJumped); // and back to behind the call
    EXPECT_EQ(vcpu.eip, kCodeAt + 2);
    EXPECT_EQ(vcpu.gpr[kEsp], kStack0);
    vcpu.segment(Segment::ds).limit = 0x8004; // pointer across the limit
    EXPECT_EQ(run({0xFF, 0x28}), gp());
}

TEST_F(FarTransfer, RealMode) {
    enter_real();
    EXPECT_EQ(run({0x9A, 0x34, 0x12, 0x00, 0x20}), kJumped);
    EXPECT_EQ(cs(), (SegmentCache{0x2000, 0x93, 0x20000, 0xFFFF, true}));
    EXPECT_EQ(vcpu.eip, 0x1234U);
    EXPECT_EQ(stack16(0), 0x25);
    EXPECT_EQ(stack16(1), 0x1000);
    EXPECT_EQ(run({0xCA, 2, 0}), kJumped);
    EXPECT_EQ(cs().selector, 0x1000);
    EXPECT_EQ(vcpu.eip, 0x25U);
    EXPECT_EQ(vcpu.gpr[kEsp], 0x8002U);
    EXPECT_EQ(run({0x66, 0xEA, 0, 0, 1, 0, 0, 0x20}), gp()) << "offset above 64 KiB";
}

struct FarReturn : FarTransfer {
    void push_pointer(std::uint32_t eip, std::uint32_t cs_value) {
        ASSERT_EQ(stack_push(vcpu, memory, cs_value, 4), std::nullopt);
        ASSERT_EQ(stack_push(vcpu, memory, eip, 4), std::nullopt);
    }
};

/// SDM Vol. 2 RET: every type, DPL, RPL and CPL of the popped CS.
TEST_F(FarReturn, EveryCodeSegment) {
    const std::set<unsigned> plain{0x18, 0x19, 0x1A, 0x1B}, conforming{0x1C, 0x1D, 0x1E, 0x1F};
    for (unsigned s_type = 0; s_type < 32; ++s_type) {
        for (unsigned bits = 0; bits < 128; ++bits) {
            const unsigned dpl = bits & 3, rpl_bits = (bits >> 2) & 3, cpl = (bits >> 4) & 3;
            const bool present = (bits & 64) != 0;
            if (cpl == 2 || rpl_bits == 2) continue;
            enter(cpl);
            const std::uint16_t stacks[] = {kData0, kData1, 0, kData3};
            define(kTestSel, static_cast<std::uint8_t>(s_type | (dpl << 5) | (present ? 0x80U : 0U)), 0, 0xFFFFF, 0xC);
            ASSERT_EQ(stack_push(vcpu, memory, stacks[rpl_bits], 4), std::nullopt);
            ASSERT_EQ(stack_push(vcpu, memory, 0x7700, 4), std::nullopt);
            push_pointer(kTarget, kTestSel | rpl_bits);
            const VCpu before = vcpu;
            const MaybeFault got = far_return(vcpu, memory, 4, 0);
            const bool level = conforming.contains(s_type) ? dpl <= rpl_bits : dpl == rpl_bits;
            if ((!plain.contains(s_type) && !conforming.contains(s_type)) || rpl_bits < cpl || !level) {
                ASSERT_EQ(got, GuestFault::with_code(13, kTestSel)) << s_type << " " << bits;
                ASSERT_TRUE(same_state(vcpu, before));
            } else if (!present) {
                ASSERT_EQ(got, GuestFault::with_code(11, kTestSel)) << s_type << " " << bits;
                ASSERT_TRUE(same_state(vcpu, before));
            } else {
                ASSERT_EQ(got, std::nullopt) << s_type << " " << bits;
                ASSERT_EQ(vcpu.cpl, rpl_bits);
                ASSERT_EQ(cs().selector, kTestSel | rpl_bits);
                ASSERT_EQ(vcpu.eip, kTarget);
                ASSERT_EQ(vcpu.gpr[kEsp], rpl_bits > cpl ? 0x7700 : before.gpr[kEsp] + 8);
                ASSERT_EQ(vcpu.segment(Segment::ss).selector, rpl_bits > cpl ? stacks[rpl_bits] : stacks[cpl]);
            }
        }
    }
}

TEST_F(FarReturn, OuterStackFaults) {
    define(kTestSel, dpl3(kData) & 0x7F, 0, 0xFFFFF, 0xC);
    const struct {
        std::uint16_t ss;
        MaybeFault want;
    } cases[] = {{0, GuestFault::with_code(13, 0)},
                 {kData0, GuestFault::with_code(13, kData0)},
                 {kData0 | 3, GuestFault::with_code(13, kData0)},
                 {kData3 & ~3, GuestFault::with_code(13, kData3 & ~3U)},
                 {kCode3, GuestFault::with_code(13, kCode3 & ~3U)},
                 {0x103, GuestFault::with_code(13, 0x100)},
                 {kTestSel | 3, GuestFault::with_code(12, kTestSel)}};
    for (const auto& one : cases) {
        enter(0);
        ASSERT_EQ(stack_push(vcpu, memory, one.ss, 4), std::nullopt);
        ASSERT_EQ(stack_push(vcpu, memory, 0x7700, 4), std::nullopt);
        push_pointer(kTarget, kCode3);
        const VCpu before = vcpu;
        EXPECT_EQ(far_return(vcpu, memory, 4, 0), one.want) << one.ss;
        EXPECT_TRUE(same_state(vcpu, before));
    }
    enter(0);
    push_pointer(kTarget, 0);
    EXPECT_EQ(far_return(vcpu, memory, 4, 0), GuestFault::with_code(13, 0));
}

TEST_F(FarReturn, DropsInnerDataSegments) {
    define(kTestSel, kConforming, 0, 0xFFFFF, 0xC);
    ASSERT_EQ(load_segment(vcpu, memory, Segment::fs, kTestSel), std::nullopt); // conforming: stays
    ASSERT_EQ(load_segment(vcpu, memory, Segment::es, kData3), std::nullopt);   // DPL 3: stays
    ASSERT_EQ(load_segment(vcpu, memory, Segment::gs, kData1), std::nullopt);
    ASSERT_EQ(stack_push(vcpu, memory, kData3, 4), std::nullopt);
    ASSERT_EQ(stack_push(vcpu, memory, 0x7700, 4), std::nullopt);
    push_pointer(kTarget, kCode3);
    ASSERT_EQ(far_return(vcpu, memory, 4, 0), std::nullopt);
    EXPECT_EQ(vcpu.segment(Segment::fs).selector, kTestSel);
    EXPECT_EQ(vcpu.segment(Segment::es).selector, kData3);
    EXPECT_EQ(vcpu.segment(Segment::ds), (SegmentCache{0, 0, 0, 0, false}));
    EXPECT_EQ(vcpu.segment(Segment::gs), (SegmentCache{0, 0, 0, 0, false}));
}

TEST_F(FarReturn, FaultBeyondTheStackLimit) {
    vcpu.segment(Segment::ss).limit = 0x8FFF;
    vcpu.gpr[kEsp] = 0x8FFC;
    EXPECT_EQ(far_return(vcpu, memory, 4, 0), GuestFault::with_code(12, 0));
    EXPECT_EQ(vcpu.gpr[kEsp], 0x8FFCU);
}

} // namespace
} // namespace ringone::vmm
