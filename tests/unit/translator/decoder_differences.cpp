// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "tests/unit/translator/decoder_differences.hpp"

namespace ringone::tests {
namespace {

using translator::CodeSize;

bool in(std::uint8_t value, unsigned first, unsigned last) { return value >= first && value <= last; }

bool size_or_repeat(const RawInstruction& r) { return r.operand_size || r.rep || r.repne; }

/// May LOCK precede it? SDM Vol. 2, LOCK: read-modify-write instructions with a memory destination.
bool lockable(const RawInstruction& r) {
    if (r.mod() == 3) return false;
    if (r.map == 0) {
        if (r.opcode < 0x38) return (r.opcode & 7U) < 2; // ADD, OR, ADC, SBB, AND, SUB, XOR
        if (in(r.opcode, 0x80, 0x83)) return r.reg() != 7;
        if (in(r.opcode, 0x86, 0x87)) return true; // XCHG
        if (in(r.opcode, 0xF6, 0xF7)) return r.reg() == 2 || r.reg() == 3;
        if (in(r.opcode, 0xFE, 0xFF)) return r.reg() < 2;
        return false;
    }
    if (r.map != 1) return false;
    switch (r.opcode) {
    case 0xAB: case 0xB3: case 0xBB:             // BTS, BTR, BTC
    case 0xB0: case 0xB1: case 0xC0: case 0xC1: return true; // CMPXCHG, XADD
    case 0xBA: return r.reg() >= 5;
    case 0xC7: return r.reg() == 1; // CMPXCHG8B
    default: return false;
    }
}

// clang-format off
constexpr DecoderDifference kDifferences[] = {
    {Disagreement::only_zydis,
     [](CodeSize, const RawInstruction& r) { return r.map == 1 && (r.opcode == 0x0D || in(r.opcode, 0x18, 0x1F)); },
     "Zydis", "reserved NOPs take any ModRM (SDM Vol. 2 table A-3, note 7; AMD APM Vol. 3, PREFETCH); Capstone knows some forms"},
    {Disagreement::only_zydis,
     [](CodeSize, const RawInstruction& r) { return r.map == 1 && r.opcode == 0xAE && r.mod() == 3; },
     "Zydis", "LFENCE, MFENCE and SFENCE ignore the r/m field (SDM Vol. 2, LFENCE)"},
    {Disagreement::only_zydis,
     [](CodeSize size, const RawInstruction& r) { return size == CodeSize::bits16 && r.map != 0 && size_or_repeat(r); },
     "Zydis", "a mandatory prefix selects an opcode in every mode (SDM Vol. 2 section 2.1.2); Capstone's 16-bit tables lack most"},
    {Disagreement::only_zydis,
     [](CodeSize, const RawInstruction& r) { return r.map != 0 && size_or_repeat(r) && r.prefixes > 1; },
     "Zydis", "prefixes stand in any order (SDM Vol. 2 section 2.1.1); Capstone wants the mandatory one right before the opcode"},
    {Disagreement::only_zydis,
     [](CodeSize size, const RawInstruction& r) {
         return size == CodeSize::bits32 && r.operand_size && (r.rep || r.repne) && r.map == 0 &&
                in(r.opcode, 0xA0, 0xA3);
     },
     "Zydis", "66 beside F2 or F3 is still the operand size of MOV moffs (SDM Vol. 2 section 2.1.1)"},
    {Disagreement::length,
     [](CodeSize size, const RawInstruction& r) {
         return size == CodeSize::bits32 && r.operand_size && (r.rep || r.repne) && r.map == 0 && r.opcode == 0xE8;
     },
     "Zydis", "66 E8 has a rel16, whatever repeat prefix stands beside it (SDM Vol. 2, CALL)"},
    {Disagreement::only_capstone,
     [](CodeSize, const RawInstruction& r) { return r.lock && !lockable(r); },
     "Zydis", "LOCK before anything but a read-modify-write of memory is #UD (SDM Vol. 2, LOCK)"},
    {Disagreement::only_capstone,
     [](CodeSize, const RawInstruction& r) {
         if (r.map > 1) return size_or_repeat(r);
         return r.map == 1 && size_or_repeat(r) &&
                ((r.opcode == 0x01 && r.mod() == 3) || in(r.opcode, 0x10, 0x17) || in(r.opcode, 0x28, 0x2F) || in(r.opcode, 0x50, 0x7F) ||
                 in(r.opcode, 0xC2, 0xC7) || in(r.opcode, 0xD0, 0xFF) || r.opcode == 0x37 || r.opcode == 0xAE);
     },
     "Zydis", "NP opcodes do not take 66, F2 or F3 (SDM Vol. 2 section 3.1.1.1): #UD; Capstone drops the prefix"},
    {Disagreement::only_capstone,
     [](CodeSize, const RawInstruction& r) { return r.map == 1 && r.opcode == 0x0F; },
     "Zydis", "0E is no 3DNow! suffix (AMD APM Vol. 3 appendix A); Capstone reads it as FEMMS, which is 0F 0E"},
    {Disagreement::only_capstone,
     [](CodeSize, const RawInstruction& r) { return r.map == 1 && r.opcode == 0x01 && r.modrm == 0xF8; },
     "Zydis", "SWAPGS exists in 64-bit mode only (SDM Vol. 2, SWAPGS)"},
    {Disagreement::only_capstone,
     [](CodeSize, const RawInstruction& r) {
         return r.map == 1 && (r.opcode == 0x20 || r.opcode == 0x22) && (r.reg() == 1 || r.reg() > 4);
     },
     "Zydis", "CR1 and CR5 to CR7 do not exist: #UD (SDM Vol. 2, MOV to/from control registers)"},
    {Disagreement::only_capstone,
     [](CodeSize, const RawInstruction& r) { return r.map == 0 && r.opcode == 0x8E && (r.reg() == 1 || r.reg() > 5); },
     "Zydis", "MOV to CS, or to a segment register that does not exist, is #UD (SDM Vol. 2, MOV)"},
    {Disagreement::only_capstone,
     [](CodeSize, const RawInstruction& r) { return r.map == 1 && (r.opcode == 0xA6 || r.opcode == 0xA7) && !r.rep; },
     "Zydis", "VIA's PadLock instructions need REP; none of them is offered"},
    {Disagreement::only_capstone,
     [](CodeSize, const RawInstruction& r) {
         const bool vex = r.opcode == 0xC4 || r.opcode == 0xC5 || r.opcode == 0x62;
         return r.map == 0 && ((vex && r.mod() == 3) || (r.opcode == 0x8F && r.reg() != 0));
     },
     "both", "VEX, EVEX and XOP are #UD to this guest, well formed or not"},
};
// clang-format on

} // namespace

std::span<const DecoderDifference> decoder_differences() { return kDifferences; }

const DecoderDifference* explain(Disagreement kind, CodeSize size, std::span<const std::uint8_t> bytes) {
    const RawInstruction raw = parse_raw(bytes);
    for (const DecoderDifference& difference : kDifferences)
        if (difference.kind == kind && difference.applies(size, raw)) return &difference;
    return nullptr;
}

} // namespace ringone::tests
