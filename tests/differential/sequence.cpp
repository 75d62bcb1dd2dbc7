// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "tests/differential/sequence.hpp"

#include "translator/instruction_table.hpp"

#include <Zydis/Zydis.h>

#include <algorithm>
#include <cstdio>

namespace ringone::tests {
namespace {

using translator::Action;
using translator::CodeSize;
using translator::DecodeStatus;
using translator::Instruction;

constexpr std::uint32_t kMaxInstructions = 12;
constexpr std::uint8_t kHlt = 0xF4;

/// May it run natively here, and must both then agree?
bool comparable(const Instruction& insn) {
    switch (translator::classify(insn).action) {
    case Action::copy:
    case Action::copy_x87:
    case Action::copy_wait:
    case Action::copy_simd:
    case Action::copy_mmx: break;
    case Action::pushf:
    case Action::popf:
    case Action::cli:
    case Action::sti: return true;
    case Action::system:
        // At CPL 3 these are #GP(0) here as there.
        switch (insn.mnemonic()) {
        case ZYDIS_MNEMONIC_HLT:
        case ZYDIS_MNEMONIC_IN:
        case ZYDIS_MNEMONIC_OUT:
        case ZYDIS_MNEMONIC_CLTS:
        case ZYDIS_MNEMONIC_INVD:
        case ZYDIS_MNEMONIC_WBINVD:
        case ZYDIS_MNEMONIC_RDMSR:
        case ZYDIS_MNEMONIC_WRMSR: return true;
        default: return false;
        }
    default: return false;
    }
    switch (insn.mnemonic()) {
    case ZYDIS_MNEMONIC_CRC32: // fine, listed to show it was thought of
        return true;
    case ZYDIS_MNEMONIC_FXRSTOR: // reserved MXCSR bits and the pointer fields would have to be crafted
    case ZYDIS_MNEMONIC_FLDENV:
    case ZYDIS_MNEMONIC_FRSTOR: return false;
    default: break;
    }
    // A CS override reads code, which lies at different places for the two.
    for (std::uint32_t i = 0; i < insn.info.operand_count; ++i)
        if (insn.operands[i].type == ZYDIS_OPERAND_TYPE_MEMORY && insn.operands[i].mem.segment == ZYDIS_REGISTER_CS)
            return false;
    return true;
}

void append(std::vector<std::uint8_t>& bytes, std::uint32_t value, std::uint32_t count) {
    for (std::uint32_t i = 0; i < count; ++i) bytes.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}

} // namespace

std::uint32_t Generator::interesting_value() {
    constexpr std::uint32_t kBorders[] = {0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, kDataBytes - 1, kDataBytes - 4};
    switch (below(8)) {
    case 0: return kBorders[below(std::size(kBorders))];
    case 1: return word();
    default: return 0x200 + below(kDataBytes - 0x400);
    }
}

void Generator::random_bytes(std::vector<std::uint8_t>& bytes) {
    constexpr std::uint8_t kPrefixes[] = {0x66, 0x66, 0x67, 0xF2, 0xF3, 0xF0, 0x26, 0x36, 0x3E, 0x64, 0x65, 0x2E};
    while (below(5) == 0) bytes.push_back(kPrefixes[below(std::size(kPrefixes))]);
    switch (below(8)) {
    case 0:
    case 1:
    case 2: break;
    case 3:
        bytes.push_back(0x0F);
        bytes.push_back(below(2) != 0 ? 0x38 : 0x3A);
        break;
    default: bytes.push_back(0x0F);
    }
    if (below(6) == 0 && bytes.empty()) {
        bytes.push_back(static_cast<std::uint8_t>(0xD8 + below(8))); // x87 is but 8 of 256 opcodes
    } else {
        bytes.push_back(static_cast<std::uint8_t>(word()));
    }
    // ModRM: a base register with a small displacement more often than the far-off forms.
    const std::uint32_t form = below(8);
    std::uint32_t modrm = word() & 0xFF;
    if (form < 3) modrm |= 0xC0;
    else if (form < 6) modrm = (modrm & 0x3F) | 0x40;
    bytes.push_back(static_cast<std::uint8_t>(modrm));
    append(bytes, word() & 0x3F3F3F3F, 4);
    append(bytes, word(), 4);
    append(bytes, word(), 4);
}

RandomInstruction Generator::plain() {
    for (;;) {
        RandomInstruction out;
        random_bytes(out.bytes);
        Instruction insn;
        switch (decoder_.decode(size_, out.bytes, 0, insn)) {
        case DecodeStatus::ok:
            if (!comparable(insn)) continue;
            out.bytes.resize(insn.length());
            return out;
        case DecodeStatus::invalid:
            // #UD both ways, where the host knows no more than the guest's CPU: VEX and the like it may know.
            if (below(20) != 0 || out.bytes[0] != 0x0F || (out.bytes[1] != 0x0B && out.bytes[1] != 0xFF)) continue;
            out.bytes.resize(8);
            return out;
        default: continue;
        }
    }
}

RandomInstruction Generator::set_register() {
    RandomInstruction out;
    const std::uint32_t reg = below(8);
    const std::uint32_t value = reg == 4 ? 0x4000 + below(64) * 4 : interesting_value();
    if (size_ == CodeSize::bits16) out.bytes.push_back(0x66);
    out.bytes.push_back(static_cast<std::uint8_t>(0xB8 + reg));
    append(out.bytes, value, 4);
    return out;
}

RandomInstruction Generator::branch() {
    RandomInstruction out;
    out.branch = true;
    out.skip = static_cast<std::uint8_t>(1 + below(4));
    const std::uint8_t wide = size_ == CodeSize::bits32 ? 4 : 2;
    switch (below(8)) {
    case 0: // LOOPcc, JCXZ
        out.bytes = {static_cast<std::uint8_t>(0xE0 + below(4)), 0};
        out.displacement_bytes = 1;
        if (below(4) == 0) out.bytes.insert(out.bytes.begin(), 0x67);
        return out;
    case 1: // CALL
        out.bytes = {0xE8};
        break;
    case 2: // JMP
        out.bytes = {0xE9};
        break;
    case 3: // PUSH target; RET
        out.branch = false;
        out.bytes = {0x68};
        append(out.bytes, 0, wide);
        out.bytes.push_back(0xC3);
        out.push_target = 1;
        return out;
    case 4: // MOV eCX, target; JMP or CALL eCX
        out.branch = false;
        out.bytes = {0xB9};
        append(out.bytes, 0, wide);
        out.bytes.push_back(0xFF);
        out.bytes.push_back(below(2) != 0 ? 0xE1 : 0xD1);
        out.push_target = 1;
        return out;
    case 5: // short Jcc
        out.bytes = {static_cast<std::uint8_t>(0x70 + below(16)), 0};
        out.displacement_bytes = 1;
        return out;
    default: out.bytes = {0x0F, static_cast<std::uint8_t>(0x80 + below(16))};
    }
    append(out.bytes, 0, wide);
    out.displacement_bytes = wide;
    return out;
}

Sequence Generator::sequence() {
    Sequence out;
    const std::uint32_t count = 1 + below(kMaxInstructions);
    for (std::uint32_t i = 0; i < count; ++i) {
        switch (below(8)) {
        case 0: out.push_back(branch()); break;
        case 1:
        case 2: out.push_back(set_register()); break;
        default: out.push_back(plain());
        }
    }
    return out;
}

std::vector<std::uint8_t> assemble(const Sequence& sequence, std::uint32_t eip, CodeSize size) {
    std::vector<std::uint32_t> starts;
    std::uint32_t at = eip;
    for (const RandomInstruction& insn : sequence) {
        starts.push_back(at);
        at += static_cast<std::uint32_t>(insn.bytes.size());
    }
    starts.push_back(at);
    std::vector<std::uint8_t> code;
    for (std::size_t i = 0; i < sequence.size(); ++i) {
        const RandomInstruction& insn = sequence[i];
        std::vector<std::uint8_t> bytes = insn.bytes;
        const std::uint32_t target = starts[std::min(i + insn.skip, sequence.size())];
        if (insn.branch) {
            const std::uint32_t relative = target - (starts[i] + static_cast<std::uint32_t>(bytes.size()));
            bytes.resize(bytes.size() - insn.displacement_bytes);
            append(bytes, relative, insn.displacement_bytes);
        } else if (insn.push_target != 0) {
            for (std::uint32_t b = 0; b < (size == CodeSize::bits32 ? 4U : 2U); ++b)
                bytes[insn.push_target + b] = static_cast<std::uint8_t>(target >> (8 * b));
        }
        code.insert(code.end(), bytes.begin(), bytes.end());
    }
    code.push_back(kHlt);
    return code;
}

std::string describe(const std::vector<std::uint8_t>& code, std::uint32_t eip, CodeSize size) {
    ZydisFormatter formatter;
    ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_INTEL);
    const translator::Decoder decoder;
    std::string text;
    for (std::size_t at = 0; at < code.size();) {
        Instruction insn;
        const auto rest = std::span(code).subspan(at);
        const bool ok = decoder.decode(size, rest, eip + static_cast<std::uint32_t>(at), insn) == DecodeStatus::ok;
        const std::size_t length = ok ? insn.length() : 1;
        char line[160] = "?";
        if (ok)
            ZydisFormatterFormatInstruction(&formatter, &insn.info, insn.operands, insn.info.operand_count_visible, line,
                                            sizeof line, insn.eip, ZYAN_NULL);
        text += "  ";
        for (std::size_t i = 0; i < length; ++i) {
            char hex[4];
            std::snprintf(hex, sizeof hex, "%02x ", code[at + i]);
            text += hex;
        }
        text += std::string("  ") + line + "\n";
        at += length;
    }
    return text;
}

} // namespace ringone::tests
