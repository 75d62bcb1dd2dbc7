// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "machine.hpp"

#include <algorithm>

namespace ringone::vmm {
namespace {

struct Operands : Machine {
    MaybeFault check(Segment segment, std::uint32_t offset, std::uint32_t bytes, AccessType type) {
        return check_segment(vcpu, segment, offset, bytes, type, linear);
    }
    std::uint32_t linear = 0;
    const GuestFault gp0 = GuestFault::with_code(13, 0), ss0 = GuestFault::with_code(12, 0);
};

TEST_F(Operands, ExpandUpLimit) {
    vcpu.segment(Segment::ds) = {kData0, 0x4093, 0x500, 0x0FFF, true};
    for (const std::uint32_t bytes : {1U, 2U, 4U, 8U, 16U, 512U}) {
        EXPECT_EQ(check(Segment::ds, 0x1000 - bytes, bytes, AccessType::write), std::nullopt);
        EXPECT_EQ(linear, 0x1500 - bytes);
        EXPECT_EQ(check(Segment::ds, 0x1001 - bytes, bytes, AccessType::read), gp0);
        EXPECT_EQ(check(Segment::ds, 0U - bytes, bytes, AccessType::read), gp0);
    }
    EXPECT_EQ(check(Segment::ds, 0xFFFFFFFF, 2, AccessType::read), gp0);
    vcpu.segment(Segment::ss) = vcpu.segment(Segment::ds);
    EXPECT_EQ(check(Segment::ss, 0x1000, 1, AccessType::read), ss0);
}

TEST_F(Operands, ExpandDownLimit) {
    vcpu.segment(Segment::ds) = {kData0, 0x4097, 0, 0x0FFF, true}; // B: up to 4 GiB
    EXPECT_EQ(check(Segment::ds, 0x0FFF, 1, AccessType::read), gp0);
    EXPECT_EQ(check(Segment::ds, 0x1000, 4, AccessType::read), std::nullopt);
    EXPECT_EQ(check(Segment::ds, 0xFFFFFFFC, 4, AccessType::read), std::nullopt);
    EXPECT_EQ(check(Segment::ds, 0xFFFFFFFD, 4, AccessType::read), gp0);
    vcpu.segment(Segment::ds).attributes = 0x0097; // up to 64 KiB
    EXPECT_EQ(check(Segment::ds, 0xFFFE, 2, AccessType::read), std::nullopt);
    EXPECT_EQ(check(Segment::ds, 0xFFFF, 2, AccessType::read), gp0);
    EXPECT_EQ(check(Segment::ds, 0x10000, 1, AccessType::read), gp0);
}

TEST_F(Operands, FlatSegmentsWrap) {
    EXPECT_EQ(check(Segment::ds, 0xFFFFFFFE, 4, AccessType::read), std::nullopt);
    EXPECT_EQ(linear, 0xFFFFFFFEU);
}

TEST_F(Operands, TypesAllowAccess) {
    // SDM Vol. 3 table 3-1: data 0-7, code 8-15; bit 1 writable or readable.
    for (std::uint16_t type = 0; type < 16; ++type) {
        vcpu.segment(Segment::fs) = {kData0, static_cast<std::uint16_t>(0x4090 | type), 0, 0xFFFF, true};
        const std::uint32_t at = (type & 0xC) == 4 ? 0x20000 : 0x100; // expand-down: above the limit
        const bool readable = type < 8 || (type & 2) != 0, writable = type < 8 && (type & 2) != 0;
        EXPECT_EQ(check(Segment::fs, at, 4, AccessType::read).has_value(), !readable) << type;
        EXPECT_EQ(check(Segment::fs, at, 4, AccessType::write).has_value(), !writable) << type;
    }
}

TEST_F(Operands, UserAccessesAreUserAccesses) {
    enter(3);
    memory.supervisor = {2};
    std::uint32_t value = 7;
    EXPECT_EQ(load_memory(vcpu, memory, Segment::ds, 0x2004, value), GuestFault::page(0x2004, 5));
    EXPECT_EQ(store_memory(vcpu, memory, Segment::ds, 0x2004, value), GuestFault::page(0x2004, 7));
    EXPECT_EQ(stack_push(vcpu, memory, 1, 4), std::nullopt);
    EXPECT_EQ(stack32(0), 1U);
}

TEST_F(Operands, AlignmentCheck) {
    std::uint32_t value = 0;
    std::uint8_t byte = 0;
    for (const unsigned cpl : {0U, 3U}) {
        for (const bool am : {false, true}) {
            for (const bool ac : {false, true}) {
                enter(cpl);
                vcpu.cr0 = cr0::kPe | cr0::kEt | (am ? cr0::kAm : 0);
                vcpu.eflags = eflags::kFixed | (ac ? eflags::kAlignmentCheck : 0);
                const bool fires = cpl == 3 && am && ac;
                const MaybeFault want = fires ? MaybeFault(GuestFault::with_code(17, 0)) : std::nullopt;
                EXPECT_EQ(load_memory(vcpu, memory, Segment::ds, 0x8001, value), want);
                EXPECT_EQ(load_memory(vcpu, memory, Segment::ds, 0x8004, value), std::nullopt);
                EXPECT_EQ(load_memory(vcpu, memory, Segment::ds, 0x8003, byte), std::nullopt);
            }
        }
    }
}

TEST_F(Operands, StackWidthFollowsSs) {
    vcpu.segment(Segment::ss) = {kData16, 0x0093, 0x20000, 0xFFFF, true};
    vcpu.gpr[kEsp] = 0xABCD0000;
    EXPECT_EQ(stack_push(vcpu, memory, 0x11223344, 4), std::nullopt); // SP wraps to FFFC, the upper half stays
    EXPECT_EQ(vcpu.gpr[kEsp], 0xABCDFFFCU);
    EXPECT_EQ(memory.get<std::uint32_t>(0x2FFFC), 0x11223344U);
    std::uint32_t value = 0;
    EXPECT_EQ(stack_pop(vcpu, memory, value, 4), std::nullopt);
    EXPECT_EQ(value, 0x11223344U);
    EXPECT_EQ(vcpu.gpr[kEsp], 0xABCD0000U);
    vcpu.gpr[kEsp] = 0xFFFF; // a word across the end of the segment
    EXPECT_EQ(stack_pop(vcpu, memory, value, 2), ss0);
    EXPECT_EQ(vcpu.gpr[kEsp], 0xFFFFU);
    vcpu.gpr[kEsp] = 1;
    EXPECT_EQ(stack_push(vcpu, memory, 0, 2), ss0);
}

TEST_F(Operands, Registers) {
    vcpu.gpr = {0x11223344, 0x55667788, 0x99AABBCC, 0xDDEEFF00, 1, 2, 3, 4};
    EXPECT_EQ(read_gpr(vcpu, ZYDIS_REGISTER_EAX), 0x11223344U);
    EXPECT_EQ(read_gpr(vcpu, ZYDIS_REGISTER_CX), 0x7788U);
    EXPECT_EQ(read_gpr(vcpu, ZYDIS_REGISTER_DL), 0xCCU);
    EXPECT_EQ(read_gpr(vcpu, ZYDIS_REGISTER_BH), 0xFFU);
    EXPECT_EQ(read_gpr(vcpu, ZYDIS_REGISTER_DI), 4U);
    EXPECT_EQ(read_gpr(vcpu, ZYDIS_REGISTER_NONE), 0U);
    write_gpr(vcpu, ZYDIS_REGISTER_AH, 0x1AA);
    write_gpr(vcpu, ZYDIS_REGISTER_CL, 0x1BB);
    write_gpr(vcpu, ZYDIS_REGISTER_DX, 0x1CCCC);
    EXPECT_EQ(vcpu.gpr[kEax], 0x1122AA44U);
    EXPECT_EQ(vcpu.gpr[kEcx], 0x556677BBU);
    EXPECT_EQ(vcpu.gpr[kEdx], 0x99AACCCCU);
}

/// lgdt [..] addresses memory in the forms of SDM Vol. 2 tables 2-1 and 2-2.
TEST_F(Operands, EffectiveAddresses) {
    const translator::Decoder decoder;
    vcpu.gpr = {0x10, 0x20, 0x30, 0x10040, 0x5000, 0x60, 0x1FFF0, 0x80};
    const auto offset = [&](std::vector<std::uint8_t> code) {
        code.resize(15);
        translator::Instruction insn{};
        EXPECT_EQ(decoder.decode(translator::CodeSize::bits32, code, 0, insn), translator::DecodeStatus::ok);
        return effective_offset(vcpu, insn, insn.operands[0]);
    };
    EXPECT_EQ(offset({0x0F, 0x01, 0x10}), 0x10U);                               // [eax]
    EXPECT_EQ(offset({0x0F, 0x01, 0x55, 0xF0}), 0x50U);                         // [ebp-16]
    EXPECT_EQ(offset({0x0F, 0x01, 0x94, 0x88, 0, 0x10, 0, 0}), 0x1090U);        // [eax+ecx*4+0x1000]
    EXPECT_EQ(offset({0x0F, 0x01, 0x15, 0x78, 0x56, 0x34, 0x12}), 0x12345678U); // [disp32]
    EXPECT_EQ(offset({0x0F, 0x01, 0x14, 0x24}), 0x5000U);                       // [esp]
    EXPECT_EQ(offset({0x67, 0x0F, 0x01, 0x10}), 0x0030U);                       // [bx+si]: 0x40 + 0xFFF0 wraps
    EXPECT_EQ(offset({0x67, 0x0F, 0x01, 0x56, 0x90}), 0xFFF0U);                 // [bp-0x70]
}

} // namespace
} // namespace ringone::vmm
