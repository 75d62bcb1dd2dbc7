// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "tests/unit/monitor-emulate/fake_runner.hpp"
#include "tests/unit/monitor-system/machine.hpp"
#include "vmm/monitor/emulate/emulate.hpp"

namespace ringone::vmm {
namespace {

using Kind = EmulationOutcome::Kind;

struct Emulation : Machine {
    static constexpr std::uint32_t kAt = 0x8000; ///< data of the tests; the page behind it is 9
    FakeRunner runner;

    EmulationOutcome go(std::initializer_list<std::uint8_t> code) {
        static const translator::Decoder decoder;
        std::vector<std::uint8_t> padded(code);
        padded.resize(translator::kMaxInstructionLength);
        const auto size = cs().big() ? translator::CodeSize::bits32 : translator::CodeSize::bits16;
        translator::Instruction insn{};
        EXPECT_EQ(decoder.decode(size, padded, vcpu.eip, insn), translator::DecodeStatus::ok);
        EXPECT_EQ(insn.length(), code.size());
        return emulate(vcpu, memory, runner, insn);
    }
    void done(std::initializer_list<std::uint8_t> code) {
        const std::uint32_t next = vcpu.eip + static_cast<std::uint32_t>(code.size());
        const EmulationOutcome outcome = go(code);
        EXPECT_EQ(outcome.kind, Kind::done) << outcome.fault << outcome.why;
        EXPECT_EQ(vcpu.eip, next);
    }
    /// The instruction must fault so, and leave registers and memory alone.
    void faults(std::initializer_list<std::uint8_t> code, const GuestFault& expected) {
        const VCpu before = vcpu;
        const std::vector<std::byte> bytes = memory.bytes();
        const EmulationOutcome outcome = go(code);
        ASSERT_EQ(outcome.kind, Kind::fault);
        EXPECT_TRUE(outcome.fault == expected) << outcome.fault << " at " << std::hex << outcome.fault.cr2;
        EXPECT_TRUE(same_state(vcpu, before));
        EXPECT_EQ(memory.bytes(), bytes);
    }
};

// ---- Instructions with one memory operand, run with the operand in the scratch buffer.

TEST_F(Emulation, OperandKeepsItsAlignmentAndItsValue) {
    vcpu.gpr[kEbx] = kAt + 0x13;
    vcpu.gpr[kEax] = 0x1000'0000;
    memory.put<std::uint32_t>(kAt + 0x13, 0x0102'0304);
    done({0x01, 0x03}); // ADD [ebx], eax
    EXPECT_EQ(memory.get<std::uint32_t>(kAt + 0x13), 0x1102'0304U);
    EXPECT_EQ(runner.last_operand, 0x13U);
    done({0x8B, 0x0D, 0x13, 0x80, 0, 0}); // MOV ecx, [disp32]
    EXPECT_EQ(vcpu.gpr[kEcx], 0x1102'0304U);
    done({0xA3, 0x40, 0x80, 0, 0}); // MOV moffs, eax
    EXPECT_EQ(memory.get<std::uint32_t>(kAt + 0x40), 0x1000'0000U);
}

TEST_F(Emulation, AcrossAPage) {
    vcpu.gpr[kEbx] = kAt + 0xFFE;
    memory.put<std::uint32_t>(kAt + 0xFFE, 0xAABB'CCDD);
    vcpu.gpr[kEax] = 1;
    done({0x87, 0x03}); // XCHG [ebx], eax
    EXPECT_EQ(vcpu.gpr[kEax], 0xAABB'CCDDU);
    EXPECT_EQ(memory.get<std::uint32_t>(kAt + 0xFFE), 1U);
    memory.missing.insert(9);
    faults({0x87, 0x03}, GuestFault::page(0x9000, 2));
    faults({0x8B, 0x0B}, GuestFault::page(0x9000, 0));
}

TEST_F(Emulation, AReadModifyWriteFaultsAsAWriteAndChangesNothing) {
    memory.read_only.insert(8);
    vcpu.gpr[kEbx] = kAt;
    vcpu.gpr[kEax] = 5;
    const GuestFault fault = GuestFault::page(kAt, 3);
    faults({0x87, 0x03}, fault);       // XCHG
    faults({0x01, 0x03}, fault);       // ADD
    faults({0x0F, 0xB1, 0x0B}, fault); // CMPXCHG
    faults({0x0F, 0xC7, 0x0B}, fault); // CMPXCHG8B
    faults({0x0F, 0xAB, 0x03}, fault); // BTS
    EXPECT_EQ(runner.runs, 0U) << "found before the CPU ran it: XCHG cannot be taken back";
}

TEST_F(Emulation, UserModeFaultsAsUser) {
    enter(3);
    memory.supervisor.insert(8);
    vcpu.gpr[kEbx] = kAt;
    faults({0x8B, 0x0B}, GuestFault::page(kAt, 5));
    faults({0x01, 0x0B}, GuestFault::page(kAt, 7));
}

TEST_F(Emulation, CompareAndExchange) {
    vcpu.gpr[kEbx] = kAt;
    memory.put<std::uint32_t>(kAt, 7);
    vcpu.gpr[kEax] = 7;
    vcpu.gpr[kEcx] = 9;
    done({0xF0, 0x0F, 0xB1, 0x0B});
    EXPECT_EQ(memory.get<std::uint32_t>(kAt), 9U);
    done({0x0F, 0xB1, 0x0B});
    EXPECT_EQ(vcpu.gpr[kEax], 9U);
    done({0x0F, 0xC7, 0x0B}); // CMPXCHG8B: ECX:EBX
    EXPECT_EQ(memory.get<std::uint64_t>(kAt), std::uint64_t{9} << 32U | kAt);
}

TEST_F(Emulation, SegmentLimitComesFirst) {
    define(kFree, kData, kAt, 0xFF, 4);
    vcpu.segment(Segment::ds) = cached(kFree);
    vcpu.gpr[kEbx] = 0xFD;
    memory.missing.insert(8);
    faults({0x8B, 0x0B}, GuestFault::with_code(vector::kGeneralProtection, 0));
    vcpu.segment(Segment::ss) = cached(kFree);
    vcpu.gpr[kEbp] = 0xFD;
    faults({0x8B, 0x4D, 0x00}, GuestFault::with_code(vector::kStackFault, 0));
    vcpu.gpr[kEbx] = 0xFC;
    faults({0x8B, 0x0B}, GuestFault::page(kAt + 0xFC, 0));
}

TEST_F(Emulation, AFaultOfTheInstructionItselfStoresNothing) {
    vcpu.gpr[kEbx] = kAt;
    runner.fault = GuestFault::plain(vector::kDivideError);
    faults({0x01, 0x03}, GuestFault::plain(vector::kDivideError));
}

TEST_F(Emulation, AlignmentCheck) {
    enter(3);
    vcpu.cr0 |= cr0::kAm;
    vcpu.eflags |= eflags::kAlignmentCheck;
    vcpu.gpr[kEbx] = kAt + 1;
    faults({0x8B, 0x0B}, GuestFault::with_code(vector::kAlignmentCheck, 0));
}

TEST_F(Emulation, SseOperandOf16Bytes) {
    vcpu.gpr[kEbx] = kAt + 0x18;
    done({0x0F, 0x10, 0x03}); // MOVUPS xmm0, [ebx]
    EXPECT_EQ(runner.last_operand % 64, 0x18U);
    vcpu.gpr[kEbx] = kAt + 0xFF8;
    memory.missing.insert(9);
    faults({0x0F, 0x10, 0x03}, GuestFault::page(0x9000, 0));
}

TEST_F(Emulation, X87ImagesShowTheGuestsAddresses) {
    vcpu.gpr[kEbx] = kAt;
    done({0xD9, 0x33}); // FNSTENV
    EXPECT_EQ(memory.get<std::uint32_t>(kAt), 0x37FU);
    EXPECT_EQ(memory.get<std::uint32_t>(kAt + 12), 0x1'0042U) << "not where the fragment ran";
    EXPECT_EQ(memory.get<std::uint16_t>(kAt + 16), 0) << "nor its code segment";
    EXPECT_EQ(memory.get<std::uint16_t>(kAt + 18), 0x07FB) << "the opcode stays";
    EXPECT_EQ(memory.get<std::uint32_t>(kAt + 20), 0x5678U) << "and the data offset";
    EXPECT_EQ(memory.get<std::uint16_t>(kAt + 24), 0);
}

// ---- Bit strings, XLAT, masked moves.

TEST_F(Emulation, BitStringsReachFarInBothDirections) {
    vcpu.gpr[kEbx] = kAt + 0x100;
    vcpu.gpr[kEax] = 32 * 5 + 3;
    done({0x0F, 0xAB, 0x03}); // BTS [ebx], eax
    EXPECT_EQ(memory.get<std::uint32_t>(kAt + 0x100 + 20), 8U);
    EXPECT_EQ(vcpu.eflags & eflags::kCarry, 0U);
    done({0x0F, 0xB3, 0x03}); // BTR
    EXPECT_EQ(vcpu.eflags & eflags::kCarry, eflags::kCarry);
    EXPECT_EQ(memory.get<std::uint32_t>(kAt + 0x100 + 20), 0U);
    vcpu.gpr[kEax] = static_cast<std::uint32_t>(-1);
    done({0x0F, 0xBB, 0x03}); // BTC: bit 31 of the doubleword before
    EXPECT_EQ(memory.get<std::uint32_t>(kAt + 0xFC), 0x8000'0000U);
    done({0x66, 0x0F, 0xA3, 0x03}); // BT with 16 bits: bit 15 of the word before
    EXPECT_EQ(vcpu.eflags & eflags::kCarry, eflags::kCarry);
    vcpu.gpr[kEax] = 8 * 0x2000;
    memory.missing.insert(0xA);
    faults({0x0F, 0xA3, 0x03}, GuestFault::page(kAt + 0x2100, 0));
}

/// BTS and its kin on a register were taken for memory.
TEST_F(Emulation, BitsOfARegisterAreNoMemory) {
    vcpu.gpr[kEcx] = 3;
    memory.missing.insert(0);
    const std::vector<std::byte> bytes = memory.bytes();
    for (const std::uint8_t opcode : std::initializer_list<std::uint8_t>{0xA3, 0xAB, 0xB3, 0xBB}) {
        done({0x0F, opcode, 0xCF}); // BT, BTS, BTR, BTC edi, ecx: the CPU's matter
        EXPECT_EQ(runner.last_code, (std::vector<std::uint8_t>{0x0F, opcode, 0xCF}));
    }
    EXPECT_EQ(runner.runs, 4U);
    EXPECT_EQ(memory.bytes(), bytes);
}

/// Long NOPs and prefetches read their operand, and faulted.
TEST_F(Emulation, HintsAccessNothing) {
    vcpu.gpr[kEbx] = kAt;
    memory.missing.insert(8);
    for (const std::uint8_t opcode : std::initializer_list<std::uint8_t>{0x1C, 0x1D, 0x1E, 0x1F})
        done({0x0F, opcode, 0x03});
    done({0x66, 0x0F, 0x1F, 0x43, 0x00}); // NOP word [ebx + 0]
    done({0x0F, 0x18, 0x03});             // PREFETCHNTA
    done({0x0F, 0x18, 0x0B});             // PREFETCHT0
    done({0x0F, 0x0D, 0x0B});             // PREFETCHW
    done({0x0F, 0x0D, 0x13});             // PREFETCHWT1
    EXPECT_EQ(runner.runs, 0U);
}

/// The scratch buffer's old bytes reached memory when an unmasked exception kept FISTTP from storing.
TEST_F(Emulation, AnX87StoreThatDoesNotHappenChangesNothing) {
    vcpu.gpr[kEax] = 0xDEAD'BEEF;
    done({0xA3, 0x40, 0x80, 0, 0}); // MOV moffs, eax: dirties that place of the buffer
    memory.put<std::uint16_t>(kAt, 0x1234);
    done({0xDF, 0x0D, 0x00, 0x80, 0, 0}); // FISTTP word [kAt]
    EXPECT_EQ(runner.last_operand, 0U);
    EXPECT_EQ(memory.get<std::uint16_t>(kAt), 0x1234U);
}

/// A misaligned operand that must be aligned was #SS or #PF where it also lay beyond the stack's limit or on no page.
TEST_F(Emulation, MisalignmentOfAnSseOperandComesFirst) {
    const GuestFault fault = GuestFault::with_code(vector::kGeneralProtection, 0);
    memory.missing.insert(8);
    vcpu.gpr[kEbx] = kAt + 8;
    faults({0x0F, 0x28, 0x03}, fault); // MOVAPS
    faults({0x0F, 0x58, 0x03}, fault); // ADDPS
    faults({0x0F, 0x10, 0x03}, GuestFault::page(kAt + 8, 0)); // MOVUPS
    define(kFree, kData, 0, 0xFF, 4);
    vcpu.segment(Segment::ss) = cached(kFree);
    vcpu.gpr[kEbp] = kAt + 8;
    faults({0x0F, 0x28, 0x45, 0x00}, fault);
    vcpu.gpr[kEbp] = kAt;
    faults({0x0F, 0x28, 0x45, 0x00}, GuestFault::with_code(vector::kStackFault, 0));
}

/// CLFLUSH was taken for an access of 64 bytes.
TEST_F(Emulation, FlushedLinesAreByteLoads) {
    vcpu.gpr[kEbx] = kAt + 0xFFF;
    memory.missing.insert(9);
    done({0x0F, 0xAE, 0x3B});
    vcpu.gpr[kEbx] = kAt + 0x1000;
    faults({0x0F, 0xAE, 0x3B}, GuestFault::page(0x9000, 0));
    define(kFree, kData, kAt, 0xFF, 4);
    vcpu.segment(Segment::ds) = cached(kFree);
    vcpu.gpr[kEbx] = 0xFF;
    done({0x0F, 0xAE, 0x3B});
    EXPECT_EQ(runner.runs, 0U);
}

TEST_F(Emulation, Xlat) {
    vcpu.gpr[kEbx] = kAt;
    vcpu.gpr[kEax] = 0x1234'5680;
    memory.put<std::uint8_t>(kAt + 0x80, 0x9A);
    done({0xD7});
    EXPECT_EQ(vcpu.gpr[kEax], 0x1234'569AU);
}

TEST_F(Emulation, MaskedMovesTouchOnlyTheirBytes) {
    for (unsigned i = 0; i < 8; ++i) runner.masked_move[0][i] = static_cast<std::uint8_t>(0x10 + i);
    runner.masked_move[1] = {0x80, 0, 0x80, 0, 0, 0, 0, 0};
    vcpu.gpr[kEdi] = 0x8FFC;
    memory.missing.insert(9);
    done({0x0F, 0xF7, 0xC1}); // MASKMOVQ mm0, mm1: bytes 4 to 7 lie on the missing page, and are not selected
    EXPECT_EQ(memory.get<std::uint32_t>(0x8FFC), 0x0012'0010U);
    runner.masked_move[1] = {0x80, 0, 0, 0, 0, 0x80, 0, 0};
    runner.masked_move[0][0] = 0x77;
    faults({0x0F, 0xF7, 0xC1}, GuestFault::page(0x9001, 2));
}

// ---- The stack.

TEST_F(Emulation, PushAndPop) {
    done({0x68, 0x78, 0x56, 0x34, 0x12});
    EXPECT_EQ(stack32(0), 0x1234'5678U);
    done({0x54}); // PUSH esp: its value before
    EXPECT_EQ(stack32(0), kStack0 - 4);
    done({0x5C}); // POP esp: the value wins
    EXPECT_EQ(vcpu.gpr[kEsp], kStack0 - 4);
    done({0x6A, 0xFF});
    EXPECT_EQ(stack32(0), 0xFFFF'FFFFU);
    memory.put<std::uint32_t>(kAt, 0xCAFE);
    vcpu.gpr[kEbx] = kAt;
    done({0xFF, 0x33}); // PUSH [ebx]
    EXPECT_EQ(stack32(0), 0xCAFEU);
    done({0x8F, 0x44, 0x24, 0x04}); // POP [esp+4]: counted from ESP after the pop
    EXPECT_EQ(memory.get<std::uint32_t>(vcpu.gpr[kEsp] + 4), 0xCAFEU);
}

TEST_F(Emulation, StackFaultsLeaveEsp) {
    memory.missing.insert(8);
    faults({0x50}, GuestFault::page(kStack0 - 4, 2));
    faults({0x60}, GuestFault::page(kStack0 - 4, 2));
    faults({0xE8, 0, 0, 0, 0}, GuestFault::page(kStack0 - 4, 2));
    faults({0xC8, 0x10, 0, 0}, GuestFault::page(kStack0 - 4, 2));
    vcpu.gpr[kEsp] = kAt + 0xFF0;
    faults({0x58}, GuestFault::page(kAt + 0xFF0, 0));
    faults({0x61}, GuestFault::page(kAt + 0xFF0, 0));
    faults({0xC3}, GuestFault::page(kAt + 0xFF0, 0));
    vcpu.gpr[kEsp] = kStack0;
    vcpu.gpr[kEbp] = kAt;
    faults({0xC9}, GuestFault::page(kAt, 0)); // LEAVE
    vcpu.gpr[kEbx] = kAt;
    faults({0x8F, 0x03}, GuestFault::page(kAt, 2)); // POP [ebx]
}

TEST_F(Emulation, PushaAndPopa) {
    for (unsigned i = 0; i < 8; ++i)
        if (i != kEsp) vcpu.gpr[i] = 0x100 + i;
    const auto before = vcpu.gpr;
    done({0x60});
    EXPECT_EQ(stack32(3), kStack0) << "ESP as it was";
    EXPECT_EQ(stack32(0), 0x107U);
    EXPECT_EQ(stack32(7), 0x100U);
    memory.put<std::uint32_t>(vcpu.gpr[kEsp] + 12, 0xDEAD); // POPA skips it
    for (unsigned i = 0; i < 8; ++i)
        if (i != kEsp) vcpu.gpr[i] = 0;
    done({0x61});
    EXPECT_EQ(vcpu.gpr, before);
}

TEST_F(Emulation, PartOfAPushaFaults) {
    vcpu.gpr[kEsp] = kStack0 + 8; // two pushes fit on page 9, the third does not
    memory.missing.insert(8);
    const VCpu before = vcpu;
    const EmulationOutcome outcome = go({0x60});
    EXPECT_EQ(outcome.kind, Kind::fault);
    EXPECT_EQ(outcome.fault.cr2, kStack0 - 4);
    EXPECT_TRUE(same_state(vcpu, before));
}

TEST_F(Emulation, EnterAndLeave) {
    vcpu.gpr[kEbp] = kStack0 + 0x100;
    memory.put<std::uint32_t>(kStack0 + 0xFC, 0xF00D);
    done({0xC8, 0x20, 0x00, 0x02}); // ENTER 32, 2
    EXPECT_EQ(memory.get<std::uint32_t>(kStack0 - 4), kStack0 + 0x100);
    EXPECT_EQ(memory.get<std::uint32_t>(kStack0 - 8), 0xF00DU) << "the enclosing frame's pointer";
    EXPECT_EQ(memory.get<std::uint32_t>(kStack0 - 12), kStack0 - 4) << "this frame's";
    EXPECT_EQ(vcpu.gpr[kEbp], kStack0 - 4);
    EXPECT_EQ(vcpu.gpr[kEsp], kStack0 - 12 - 32);
    done({0xC9});
    EXPECT_EQ(vcpu.gpr[kEbp], kStack0 + 0x100);
    EXPECT_EQ(vcpu.gpr[kEsp], kStack0);
}

// ---- Branches.

TEST_F(Emulation, CallAndReturn) {
    vcpu.gpr[kEbx] = kAt;
    memory.put<std::uint32_t>(kAt, 0x1'2000);
    EXPECT_EQ(go({0xFF, 0x13}).kind, Kind::done); // CALL [ebx]
    EXPECT_EQ(vcpu.eip, 0x1'2000U);
    EXPECT_EQ(stack32(0), kCodeAt + 2);
    EXPECT_EQ(go({0xC2, 0x08, 0x00}).kind, Kind::done); // RET 8
    EXPECT_EQ(vcpu.eip, kCodeAt + 2);
    EXPECT_EQ(vcpu.gpr[kEsp], kStack0 + 8);
    EXPECT_EQ(go({0xEB, 0xFE}).kind, Kind::done);
    EXPECT_EQ(vcpu.eip, kCodeAt + 2);
}

TEST_F(Emulation, TargetsOutsideTheCodeSegment) {
    vcpu.segment(Segment::cs).limit = 0x1'1FFF;
    vcpu.gpr[kEbx] = kAt;
    memory.put<std::uint32_t>(kAt, 0x1'2000);
    const GuestFault gp0 = GuestFault::with_code(vector::kGeneralProtection, 0);
    faults({0xFF, 0x13}, gp0);
    faults({0xFF, 0x23}, gp0);
    faults({0xE9, 0x00, 0x20, 0x00, 0x00}, gp0);
    memory.put<std::uint32_t>(kStack0, 0x1'2000);
    faults({0xC3}, gp0);
    vcpu.segment(Segment::cs).limit = kCodeAt + 0x7F;
    vcpu.gpr[kEcx] = 2;
    faults({0xE2, 0x7E}, gp0); // LOOP: ECX is not counted either
}

TEST_F(Emulation, ConditionsAndCounters) {
    // Each condition against flags that a comparison of two numbers gives.
    const auto taken = [&](std::uint8_t condition, std::uint32_t flags) {
        vcpu.eip = kCodeAt;
        vcpu.eflags = eflags::kFixed | flags;
        EXPECT_EQ(go({static_cast<std::uint8_t>(0x70U + condition), 0x10}).kind, Kind::done);
        return vcpu.eip == kCodeAt + 0x12;
    };
    const std::uint32_t below = eflags::kCarry | eflags::kSign, equal = eflags::kZero | eflags::kParity, above = 0;
    const std::uint32_t less_by_overflow = eflags::kOverflow;
    EXPECT_TRUE(taken(0x2, below) && !taken(0x2, above) && taken(0x3, above));
    EXPECT_TRUE(taken(0x4, equal) && !taken(0x5, equal));
    EXPECT_TRUE(taken(0x6, equal) && taken(0x6, below) && !taken(0x7, below) && taken(0x7, above));
    EXPECT_TRUE(taken(0x8, below) && taken(0x9, above));
    EXPECT_TRUE(taken(0xA, equal) && taken(0xB, above));
    EXPECT_TRUE(taken(0xC, less_by_overflow) && taken(0xC, below) && !taken(0xC, eflags::kSign | eflags::kOverflow));
    EXPECT_TRUE(taken(0xE, equal) && taken(0xF, above) && !taken(0xF, below));
    EXPECT_TRUE(taken(0x0, less_by_overflow) && taken(0x1, above));
    vcpu.eip = kCodeAt;
    vcpu.gpr[kEcx] = 0x1'0001;
    EXPECT_EQ(go({0x67, 0xE2, 0x10}).kind, Kind::done); // LOOP by CX: to zero, not taken
    EXPECT_EQ(vcpu.gpr[kEcx], 0x1'0000U);
    EXPECT_EQ(vcpu.eip, kCodeAt + 3);
    EXPECT_EQ(go({0x67, 0xE3, 0x10}).kind, Kind::done); // JCXZ
    EXPECT_EQ(vcpu.eip, kCodeAt + 3 + 3 + 0x10);
}

// ---- Strings.

TEST_F(Emulation, RepMovsStopsWhereItFaults) {
    vcpu.gpr[kEsi] = 0x7000;
    vcpu.gpr[kEdi] = 0x8FF8;
    vcpu.gpr[kEcx] = 4;
    for (std::uint32_t i = 0; i < 4; ++i) memory.put<std::uint32_t>(0x7000 + 4 * i, 0x11 * (i + 1));
    memory.missing.insert(9);
    const EmulationOutcome outcome = go({0xF3, 0xA5});
    ASSERT_EQ(outcome.kind, Kind::fault);
    EXPECT_TRUE(outcome.fault == GuestFault::page(0x9000, 2)) << outcome.fault;
    EXPECT_EQ(vcpu.gpr[kEcx], 2U);
    EXPECT_EQ(vcpu.gpr[kEsi], 0x7008U);
    EXPECT_EQ(vcpu.gpr[kEdi], 0x9000U);
    EXPECT_EQ(vcpu.eip, kCodeAt);
    memory.missing.clear();
    done({0xF3, 0xA5});
    EXPECT_EQ(vcpu.gpr[kEcx], 0U);
    EXPECT_EQ(memory.get<std::uint32_t>(0x9004), 0x44U);
}

TEST_F(Emulation, TheSourceFaultsBeforeTheDestination) {
    vcpu.gpr[kEsi] = kAt;
    vcpu.gpr[kEdi] = 0x9000;
    memory.missing = {8, 9};
    faults({0xA4}, GuestFault::page(kAt, 0));
    define(kFree, kData, 0, 0xFF, 4);
    vcpu.segment(Segment::es) = cached(kFree);
    faults({0xA4}, GuestFault::with_code(vector::kGeneralProtection, 0));
}

/// CMPS faulted at DS:ESI where CPUs fault at ES:EDI, and a misaligned operand went unseen behind the other one's limit.
TEST_F(Emulation, StringOperandsAreCheckedOneAfterTheOther) {
    define(kFree, kData, 0, 0xFF, 4);
    vcpu.gpr[kEsi] = vcpu.gpr[kEdi] = kAt;
    vcpu.segment(Segment::es) = cached(kFree);
    vcpu.segment(Segment::ss) = cached(kFree);
    faults({0x36, 0xA6}, GuestFault::with_code(vector::kGeneralProtection, 0)); // CMPSB ss:[esi]: ES:EDI first
    faults({0x36, 0xA4}, GuestFault::with_code(vector::kStackFault, 0));        // MOVSB ss:[esi]: the source first
    enter(3);
    vcpu.segment(Segment::es) = cached(kFree);
    vcpu.cr0 |= cr0::kAm;
    vcpu.eflags |= eflags::kAlignmentCheck;
    vcpu.gpr[kEsi] = kAt + 1;
    vcpu.gpr[kEdi] = kAt;
    faults({0xA5}, GuestFault::with_code(vector::kAlignmentCheck, 0)); // MOVSD
}

TEST_F(Emulation, StringsGoDownAndByAddressSize) {
    vcpu.eflags |= eflags::kDirection;
    vcpu.gpr[kEdi] = 0x5'0000;
    vcpu.gpr[kEax] = 0xAB;
    done({0x67, 0xAA}); // STOSB es:[di]
    EXPECT_EQ(memory.get<std::uint8_t>(0), 0xAB);
    EXPECT_EQ(vcpu.gpr[kEdi], 0x5'FFFFU) << "DI wraps, the upper half stays";
    memory.put<std::uint16_t>(kAt, 0xBEEF);
    vcpu.gpr[kEsi] = kAt;
    done({0x66, 0xAD}); // LODSW
    EXPECT_EQ(vcpu.gpr[kEax], 0xBEEFU);
    EXPECT_EQ(vcpu.gpr[kEsi], kAt - 2);
}

TEST_F(Emulation, ScanAndCompare) {
    for (std::uint32_t i = 0; i < 16; ++i) memory.put<std::uint8_t>(kAt + i, static_cast<std::uint8_t>(i == 9 ? 0 : 0x41 + i));
    vcpu.gpr[kEdi] = kAt;
    vcpu.gpr[kEax] = 0;
    vcpu.gpr[kEcx] = 0xFFFF'FFFF;
    done({0xF2, 0xAE}); // REPNE SCASB: strlen
    EXPECT_EQ(~vcpu.gpr[kEcx] - 1, 9U);
    EXPECT_NE(vcpu.eflags & eflags::kZero, 0U);
    vcpu.gpr[kEsi] = kAt;
    vcpu.gpr[kEdi] = kAt + 0x100;
    for (std::uint32_t i = 0; i < 5; ++i) memory.put<std::uint8_t>(kAt + 0x100 + i, static_cast<std::uint8_t>(0x41 + i + (i == 3)));
    vcpu.gpr[kEcx] = 5;
    done({0xF3, 0xA6}); // REPE CMPSB
    EXPECT_EQ(vcpu.gpr[kEcx], 1U);
    EXPECT_EQ(vcpu.eflags & eflags::kStatus, eflags::kCarry | eflags::kSign | eflags::kAdjust | eflags::kParity) << "44 - 45";
    vcpu.gpr[kEcx] = 0;
    const std::uint32_t flags = vcpu.eflags;
    done({0xF3, 0xA6});
    EXPECT_EQ(vcpu.eflags, flags) << "no element, no flags";
}

TEST_F(Emulation, LongStringsLetInterruptsIn) {
    vcpu.gpr[kEdi] = 0x1'1000;
    vcpu.gpr[kEcx] = 5000;
    unsigned turns = 1;
    for (;; ++turns) {
        const std::uint32_t before = vcpu.gpr[kEcx];
        const EmulationOutcome outcome = go({0xF3, 0xAA});
        if (outcome.kind == Kind::done) break;
        ASSERT_EQ(outcome.kind, Kind::partial);
        ASSERT_LT(vcpu.gpr[kEcx], before);
        ASSERT_EQ(vcpu.eip, kCodeAt);
    }
    EXPECT_EQ(turns, 5U);
    vcpu.eip = kCodeAt;
    vcpu.gpr[kEcx] = 2;
    vcpu.eflags |= eflags::kTrap;
    EXPECT_EQ(go({0xF3, 0xAA}).kind, Kind::partial) << "a single step is one element";
    EXPECT_EQ(vcpu.gpr[kEcx], 1U);
    EXPECT_EQ(go({0xF3, 0xAA}).kind, Kind::done);
}

TEST_F(Emulation, RepneRepeatsMovesAsRepDoes) {
    vcpu.gpr[kEsi] = 0x7000;
    vcpu.gpr[kEdi] = kAt;
    vcpu.gpr[kEcx] = 3;
    done({0xF2, 0xA4});
    EXPECT_EQ(vcpu.gpr[kEcx], 0U);
    EXPECT_EQ(vcpu.gpr[kEdi], kAt + 3);
}

} // namespace
} // namespace ringone::vmm
