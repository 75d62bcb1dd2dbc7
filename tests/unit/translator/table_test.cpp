// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
//
// The instruction table against every encoding there is.
#include "tests/unit/translator/encodings.hpp"
#include "tests/unit/translator/sensitive_opcodes.hpp"
#include "translator/instruction_table.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace ringone::tests {
namespace {

using namespace translator;

bool is_copy(Action action) {
    switch (action) {
    case Action::copy:
    case Action::copy_x87:
    case Action::copy_wait:
    case Action::copy_simd:
    case Action::copy_mmx:
    case Action::read_tsc: return true;
    default: return false;
    }
}

/// Calls `each` with every instruction that decodes, of both code sizes.
template <typename Each>
void for_each_instruction(Each each) {
    const Decoder decoder;
    for (const CodeSize size : {CodeSize::bits16, CodeSize::bits32})
        for_each_encoding([&](std::span<const std::uint8_t> bytes) {
            Instruction instruction;
            if (decoder.decode(size, bytes, 0x1000, instruction) == DecodeStatus::ok) each(instruction);
        });
}

std::string describe(const Instruction& instruction) {
    std::string text = ZydisMnemonicGetString(instruction.mnemonic());
    text += " (";
    for (std::uint32_t i = 0; i < instruction.length(); ++i) {
        char hex[4];
        std::snprintf(hex, sizeof hex, "%02x ", instruction.bytes[i]);
        text += hex;
    }
    text.back() = ')';
    return text;
}

std::vector<InstructionRow> all_rows() {
    std::vector<InstructionRow> rows;
    for (std::uint32_t g = 0; g < kRowGroups; ++g)
        for (const InstructionRow& row : instruction_rows(g)) rows.push_back(row);
    for (const InstructionRow& row : variant_rows()) rows.push_back(row);
    return rows;
}

TEST(InstructionTable, rows_are_sorted_and_single) {
    std::set<ZydisMnemonic> seen;
    for (std::uint32_t g = 0; g < kRowGroups; ++g) {
        std::string last;
        for (const InstructionRow& row : instruction_rows(g)) {
            const std::string name = ZydisMnemonicGetString(row.mnemonic);
            EXPECT_LT(last, name) << "group " << g;
            last = name;
            EXPECT_TRUE(seen.insert(row.mnemonic).second) << name << " has two rows";
            EXPECT_EQ(find_row(row.mnemonic), &row) << name;
        }
    }
}

TEST(InstructionTable, columns_agree) {
    for (const InstructionRow& row : all_rows()) {
        const char* name = ZydisMnemonicGetString(row.mnemonic);
        Treatment expected = Treatment::callout;
        switch (row.action) {
        case Action::copy:
        case Action::copy_x87:
        case Action::copy_wait:
        case Action::copy_simd:
        case Action::copy_mmx:
        case Action::read_tsc: expected = Treatment::identical; break;
        case Action::jump:
        case Action::jump_conditional:
        case Action::jump_counter:
        case Action::call:
        case Action::ret: expected = Treatment::adjusted; break;
        case Action::cli:
        case Action::sti:
        case Action::pushf:
        case Action::popf:
        case Action::read_selector: expected = Treatment::inlined; break;
        case Action::undefined: expected = Treatment::trap; break;
        case Action::iret:
        case Action::system:
        case Action::fpu_image: break;
        }
        EXPECT_EQ(row.treatment, expected) << name;
        EXPECT_EQ(row.ends_block, expected != Treatment::identical && expected != Treatment::inlined) << name;
        EXPECT_EQ(row.feature == Feature::none, row.action == Action::undefined) << name;
    }
}

TEST(InstructionTable, every_instruction_has_its_row) {
    std::map<std::string, std::string> missing;
    std::set<const InstructionRow*> used;
    for_each_instruction([&](const Instruction& instruction) {
        used.insert(&classify(instruction));
        // VEX, EVEX, XOP and 3DNow! are not offered as a whole.
        const bool legacy = instruction.info.encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY;
        if (legacy && find_row(instruction.mnemonic()) == nullptr)
            missing.emplace(ZydisMnemonicGetString(instruction.mnemonic()), describe(instruction));
        if (!legacy) {
            EXPECT_EQ(classify(instruction).action, Action::undefined) << describe(instruction);
        }
    });
    for (const auto& [name, text] : missing) ADD_FAILURE() << "no row for " << text;
    // A row that no encoding reaches is a mistake, too.
    for (std::uint32_t g = 0; g < kRowGroups; ++g)
        for (const InstructionRow& row : instruction_rows(g))
            EXPECT_TRUE(used.contains(&row)) << "no encoding has the row " << ZydisMnemonicGetString(row.mnemonic);
    for (const InstructionRow& row : variant_rows())
        EXPECT_TRUE(used.contains(&row)) << "no encoding has the variant " << row.form;
}

/// Instruction-set extensions (Zydis's names) of which anything may be copied: what the guest's CPUID can announce.
/// Of BMI1 that is TZCNT (REP BSF to a CPU without it), of PREFETCHWT1 a hint among those of PREFETCHW's opcode.
constexpr const char* kOffered[] = {"BASE",  "X87",   "MMX",   "SSE",       "SSE2",  "SSE3",  "SSSE3",
                                    "SSE4",  "AES",   "MOVBE", "PCLMULQDQ", "LZCNT", "BMI1",  "PAUSE",
                                    "CLFSH", "PREFETCHWT1", "AMD3DNOW_PREFETCH"};

TEST(InstructionTable, what_is_not_offered_is_never_copied) {
    std::map<std::string, std::string> wrong;
    for_each_instruction([&](const Instruction& instruction) {
        if (!is_copy(classify(instruction).action)) return;
        const std::string set = ZydisISAExtGetString(instruction.info.meta.isa_ext);
        for (const char* offered : kOffered)
            if (set == offered) return;
        wrong.emplace(set, describe(instruction));
    });
    for (const auto& [set, example] : wrong) ADD_FAILURE() << set << " is copied: " << example;
}

TEST(InstructionTable, sensitive_instructions_are_never_copied) {
    std::map<std::string, std::string> wrong;
    std::map<const SensitiveOpcode*, std::uint32_t> seen;
    for_each_instruction([&](const Instruction& instruction) {
        const RawInstruction raw = parse_raw({instruction.bytes, instruction.length()});
        for (const SensitiveOpcode& s : kSensitiveOpcodes) {
            if (!s.matches(raw)) continue;
            ++seen[&s];
            const InstructionRow& row = classify(instruction);
            if (is_copy(row.action) || row.treatment == Treatment::identical)
                wrong.emplace(s.what, describe(instruction));
        }
    });
    for (const auto& [what, example] : wrong) ADD_FAILURE() << what << " is copied: " << example;
    for (const SensitiveOpcode& s : kSensitiveOpcodes) EXPECT_GT(seen[&s], 0U) << s.what << " was never met";
}

TEST(InstructionTable, near_branches_are_never_copied) {
    for_each_instruction([](const Instruction& instruction) {
        if (instruction.info.meta.branch_type == ZYDIS_BRANCH_TYPE_NONE) return;
        EXPECT_FALSE(is_copy(classify(instruction).action)) << describe(instruction);
    });
}

} // namespace
} // namespace ringone::tests
