// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "machine.hpp"

namespace ringone::vmm {
namespace {

struct LoadSegment : Machine {};

/// SDM Vol. 2, MOV: what a load of SS gives for a descriptor (S and type in the low 5 bits of `access`).
MaybeFault expected_stack(unsigned s_type, unsigned dpl, unsigned rpl_bits, unsigned cpl, bool present, std::uint16_t selector) {
    const std::set<unsigned> writable_data{0x12, 0x13, 0x16, 0x17};
    const std::uint32_t code = selector & 0xFFFCU;
    if (rpl_bits != cpl || dpl != cpl || !writable_data.contains(s_type)) return GuestFault::with_code(13, code);
    return present ? MaybeFault{} : GuestFault::with_code(12, code);
}

MaybeFault expected_data(unsigned s_type, unsigned dpl, unsigned rpl_bits, unsigned cpl, bool present, std::uint16_t selector) {
    const std::set<unsigned> conforming_readable{0x1E, 0x1F};
    const std::set<unsigned> data_or_readable{0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x1A, 0x1B, 0x1E, 0x1F};
    const std::uint32_t code = selector & 0xFFFCU;
    if (!data_or_readable.contains(s_type)) return GuestFault::with_code(13, code);
    if (!conforming_readable.contains(s_type) && std::max(rpl_bits, cpl) > dpl) return GuestFault::with_code(13, code);
    return present ? MaybeFault{} : GuestFault::with_code(11, code);
}

TEST_F(LoadSegment, EveryTypeAndPrivilege) {
    vcpu.ldtr = {kLdtSel, 0x82, kLdt, 0xFF, true};
    unsigned cases = 0;
    for (const unsigned table : {0U, 4U}) {
        for (unsigned s_type = 0; s_type < 32; ++s_type) {
            for (unsigned bits = 0; bits < 128; ++bits) {
                const unsigned dpl = bits & 3, rpl_bits = (bits >> 2) & 3, cpl = (bits >> 4) & 3;
                const bool present = (bits & 64) != 0;
                const auto selector = static_cast<std::uint16_t>(kTestSel | table | rpl_bits);
                const auto access = static_cast<std::uint8_t>(s_type | (dpl << 5) | (present ? 0x80U : 0U));
                for (const Segment segment : {Segment::ss, Segment::ds, Segment::es, Segment::fs, Segment::gs}) {
                    define(selector, access, 0x12345678, 0x9ABCD, 0x4);
                    vcpu.cpl = static_cast<std::uint8_t>(cpl);
                    vcpu.segment(segment) = {1, 2, 3, 4, true};
                    const SegmentCache before = vcpu.segment(segment);
                    const MaybeFault want = segment == Segment::ss
                                                ? expected_stack(s_type, dpl, rpl_bits, cpl, present, selector)
                                                : expected_data(s_type, dpl, rpl_bits, cpl, present, selector);
                    const MaybeFault got = load_segment(vcpu, memory, segment, selector);
                    ASSERT_EQ(got, want) << "type " << s_type << " dpl " << dpl << " rpl " << rpl_bits << " cpl " << cpl;
                    if (want) {
                        ASSERT_EQ(vcpu.segment(segment), before);
                        ASSERT_EQ(access_byte(selector), access) << "a refused load leaves the accessed bit";
                    } else {
                        const SegmentCache loaded{selector, static_cast<std::uint16_t>(0x4000U | access | 1U), 0x12345678,
                                                  0x9ABCD, true};
                        ASSERT_EQ(vcpu.segment(segment), loaded);
                        ASSERT_EQ(access_byte(selector), access | 1U);
                    }
                    ++cases;
                }
            }
        }
    }
    EXPECT_EQ(cases, 2U * 32U * 128U * 5U);
}

TEST_F(LoadSegment, NullSelectors) {
    for (std::uint16_t selector = 0; selector < 4; ++selector) {
        EXPECT_EQ(load_segment(vcpu, memory, Segment::ss, selector), GuestFault::with_code(13, 0));
        EXPECT_EQ(load_segment(vcpu, memory, Segment::fs, selector), std::nullopt);
        EXPECT_EQ(vcpu.segment(Segment::fs).selector, selector);
        std::uint32_t value = 0;
        EXPECT_EQ(load_memory(vcpu, memory, Segment::fs, 0, value), GuestFault::with_code(13, 0));
    }
}

TEST_F(LoadSegment, TableLimits) {
    vcpu.gdtr.limit = kTestSel + 7;
    define(kTestSel, kData, 0, 0xFFFF, 0);
    EXPECT_EQ(load_segment(vcpu, memory, Segment::ds, kTestSel), std::nullopt);
    vcpu.gdtr.limit = kTestSel + 6;
    EXPECT_EQ(load_segment(vcpu, memory, Segment::ds, kTestSel), GuestFault::with_code(13, kTestSel));
    EXPECT_EQ(load_segment(vcpu, memory, Segment::ss, kTestSel), GuestFault::with_code(13, kTestSel));
    // No LDT: every local selector is outside.
    EXPECT_EQ(load_segment(vcpu, memory, Segment::ds, 0x0F), GuestFault::with_code(13, 0x0C));
    // The LDT's entry 0 is an ordinary one: 4 is not a null selector.
    vcpu.ldtr = {kLdtSel, 0x82, kLdt, 7, true};
    define(4, kData, 0x700, 0xFFFF, 0);
    EXPECT_EQ(load_segment(vcpu, memory, Segment::ds, 4), std::nullopt);
    EXPECT_EQ(vcpu.segment(Segment::ds).base, 0x700U);
}

TEST_F(LoadSegment, TableAccessesAreSupervisorAtAnyLevel) {
    enter(3);
    memory.supervisor = {kGdt >> 12};
    EXPECT_EQ(load_segment(vcpu, memory, Segment::ds, kData3), std::nullopt);
    memory.missing = {kGdt >> 12};
    EXPECT_EQ(load_segment(vcpu, memory, Segment::ds, kData3), GuestFault::page(kGdt + (kData3 & ~7U), 0));
    memory.missing.clear();
    memory.read_only = {kGdt >> 12};
    define(kTestSel, dpl3(kData), 0, 0xFFFF, 0);
    EXPECT_EQ(load_segment(vcpu, memory, Segment::ds, kTestSel | 3), GuestFault::page(kGdt + kTestSel + 5, 3))
        << "the accessed bit cannot be set";
    define(kTestSel, dpl3(kData) | 1, 0, 0xFFFF, 0);
    EXPECT_EQ(load_segment(vcpu, memory, Segment::ds, kTestSel | 3), std::nullopt);
}

TEST_F(LoadSegment, RealModeKeepsTheLimit) {
    enter_real();
    EXPECT_EQ(load_segment(vcpu, memory, Segment::ds, 0x1234), std::nullopt);
    EXPECT_EQ(vcpu.segment(Segment::ds), (SegmentCache{0x1234, 0x93, 0x12340, 0xFFFF, true}));
    vcpu.segment(Segment::es) = {kData0, 0xC093, 0, 0xFFFFFFFF, true}; // as left by a visit to protected mode
    EXPECT_EQ(load_segment(vcpu, memory, Segment::es, 0x10), std::nullopt);
    EXPECT_EQ(vcpu.segment(Segment::es), (SegmentCache{0x10, 0xC093, 0x100, 0xFFFFFFFF, true}));
}

TEST_F(LoadSegment, Virtual8086) {
    enter_v86(0);
    EXPECT_EQ(load_segment(vcpu, memory, Segment::ss, 3), std::nullopt);
    EXPECT_EQ(vcpu.segment(Segment::ss), (SegmentCache{3, 0xF3, 0x30, 0xFFFF, true}));
}

TEST_F(LoadSegment, PageGranularity) {
    define(kTestSel, kData, 0xABCD0000, 0x00003, 0xC);
    EXPECT_EQ(load_segment(vcpu, memory, Segment::ds, kTestSel), std::nullopt);
    EXPECT_EQ(vcpu.segment(Segment::ds).limit, 0x3FFFU);
    EXPECT_EQ(vcpu.segment(Segment::ds).base, 0xABCD0000U);
}

} // namespace
} // namespace ringone::vmm
