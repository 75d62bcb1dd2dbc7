// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "translator/instruction_table.hpp"

#include "translator/rows_general.hpp"
#include "translator/rows_simd.hpp"
#include "translator/rows_x87.hpp"

#include <array>

namespace ringone::translator {

void doubled_row(); // never defined: calling it is not a constant expression

namespace {

enum Variant : std::uint8_t {
    kToSegment, kFromSegment, kControl, kDebug, kPushSegment, kPopSegment, kFarJump, kFarCall, kFarReturn,
    kMoveString, kCompareString, kNotOffered,
};

// clang-format off
constexpr InstructionRow kVariants[] = {
    {ZYDIS_MNEMONIC_MOV, Feature::base, Treatment::callout, Action::system, Privilege::none, true, "sreg, r/m16"},
    {ZYDIS_MNEMONIC_MOV, Feature::base, Treatment::inlined, Action::read_selector, Privilege::none, false, "r/m16, sreg | r32, sreg"},
    {ZYDIS_MNEMONIC_MOV, Feature::base, Treatment::callout, Action::system, Privilege::cpl0, true, "cr, r32 | r32, cr"},
    {ZYDIS_MNEMONIC_MOV, Feature::base, Treatment::callout, Action::system, Privilege::cpl0, true, "dr, r32 | r32, dr"},
    {ZYDIS_MNEMONIC_PUSH, Feature::base, Treatment::inlined, Action::read_selector, Privilege::none, false, "sreg"},
    {ZYDIS_MNEMONIC_POP, Feature::base, Treatment::callout, Action::system, Privilege::none, true, "sreg"},
    {ZYDIS_MNEMONIC_JMP, Feature::base, Treatment::callout, Action::system, Privilege::none, true, "ptr16:16 | ptr16:32 | m16:16 | m16:32"},
    {ZYDIS_MNEMONIC_CALL, Feature::base, Treatment::callout, Action::system, Privilege::none, true, "ptr16:16 | ptr16:32 | m16:16 | m16:32"},
    {ZYDIS_MNEMONIC_RET, Feature::base, Treatment::callout, Action::system, Privilege::none, true, "far | far imm16"},
    {ZYDIS_MNEMONIC_MOVSD, Feature::base, Treatment::identical, Action::copy, Privilege::none, false, "string"},
    {ZYDIS_MNEMONIC_CMPSD, Feature::base, Treatment::identical, Action::copy, Privilege::none, false, "string"},
    {ZYDIS_MNEMONIC_INVALID, Feature::none, Treatment::trap, Action::undefined, Privilege::none, true, "not offered"},
};
// clang-format on

constexpr std::span<const InstructionRow> kGroups[kRowGroups] = {kRowsGeneral, kRowsX87, kRowsSimd};
using Index = std::array<const InstructionRow*, ZYDIS_MNEMONIC_MAX_VALUE + 1>;

/// Not a constant expression when a mnemonic has two rows: then the table does not compile.
consteval Index make_index() {
    Index index{};
    for (const auto& group : kGroups)
        for (const InstructionRow& row : group) {
            if (index[row.mnemonic] != nullptr) doubled_row();
            index[row.mnemonic] = &row;
        }
    return index;
}
constexpr Index kIndex = make_index();

bool is_class(const ZydisDecodedOperand& operand, ZydisRegisterClass wanted) {
    return operand.type == ZYDIS_OPERAND_TYPE_REGISTER && ZydisRegisterGetClass(operand.reg.value) == wanted;
}

const InstructionRow& classify_move(const Instruction& instruction) {
    const ZydisDecodedOperand& to = instruction.operands[0];
    const ZydisDecodedOperand& from = instruction.operands[1];
    if (is_class(to, ZYDIS_REGCLASS_SEGMENT)) return kVariants[kToSegment];
    if (is_class(from, ZYDIS_REGCLASS_SEGMENT)) return kVariants[kFromSegment];
    if (is_class(to, ZYDIS_REGCLASS_CONTROL) || is_class(from, ZYDIS_REGCLASS_CONTROL)) return kVariants[kControl];
    if (is_class(to, ZYDIS_REGCLASS_DEBUG) || is_class(from, ZYDIS_REGCLASS_DEBUG)) return kVariants[kDebug];
    return *kIndex[ZYDIS_MNEMONIC_MOV];
}

} // namespace

std::span<const InstructionRow> instruction_rows(std::uint32_t group) { return kGroups[group]; }

std::span<const InstructionRow> variant_rows() { return kVariants; }

const InstructionRow* find_row(ZydisMnemonic mnemonic) { return kIndex[mnemonic]; }

const InstructionRow& classify(const Instruction& instruction) {
    // VEX, EVEX and XOP need an OS that enables the wide registers; the platform says it cannot.
    if (instruction.info.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY &&
        instruction.info.encoding != ZYDIS_INSTRUCTION_ENCODING_3DNOW)
        return kVariants[kNotOffered];
    const bool far = instruction.info.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR;
    switch (instruction.mnemonic()) {
    case ZYDIS_MNEMONIC_MOV: return classify_move(instruction);
    case ZYDIS_MNEMONIC_PUSH:
        if (is_class(instruction.operands[0], ZYDIS_REGCLASS_SEGMENT)) return kVariants[kPushSegment];
        break;
    case ZYDIS_MNEMONIC_POP:
        if (is_class(instruction.operands[0], ZYDIS_REGCLASS_SEGMENT)) return kVariants[kPopSegment];
        break;
    case ZYDIS_MNEMONIC_JMP:
        if (far) return kVariants[kFarJump];
        break;
    case ZYDIS_MNEMONIC_CALL:
        if (far) return kVariants[kFarCall];
        break;
    case ZYDIS_MNEMONIC_RET:
        if (far) return kVariants[kFarReturn];
        break;
    // Zydis has one mnemonic for the string instruction and the scalar one.
    case ZYDIS_MNEMONIC_MOVSD:
        if (instruction.info.opcode_map == ZYDIS_OPCODE_MAP_DEFAULT) return kVariants[kMoveString];
        break;
    case ZYDIS_MNEMONIC_CMPSD:
        if (instruction.info.opcode_map == ZYDIS_OPCODE_MAP_DEFAULT) return kVariants[kCompareString];
        break;
    default: break;
    }
    const InstructionRow* row = kIndex[instruction.mnemonic()];
    return row != nullptr ? *row : kVariants[kNotOffered];
}

} // namespace ringone::translator
