// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "tests/unit/translator/raw_instruction.hpp"

namespace ringone::tests {

/// Opcodes whose effect or result differs at a lower privilege, or that would leave the sandbox or show the host's
/// state. Written down from the SDM, not from the translator's table.
struct SensitiveOpcode {
    const char* what;
    unsigned map;
    std::uint8_t first, last;
    int reg; ///< ModRM.reg, -1: all
    int mod; ///< 3: register forms only, 0: memory forms only, -1: all

    [[nodiscard]] constexpr bool matches(const RawInstruction& raw) const {
        return raw.map == map && raw.opcode >= first && raw.opcode <= last &&
               (reg < 0 || raw.reg() == static_cast<unsigned>(reg)) && (mod < 0 || (raw.mod() == 3) == (mod == 3));
    }
};

inline constexpr SensitiveOpcode kSensitiveOpcodes[] = {
    {"push, pop es", 0, 0x06, 0x07, -1, -1},
    {"push cs", 0, 0x0E, 0x0E, -1, -1},
    {"push, pop ss", 0, 0x16, 0x17, -1, -1},
    {"push, pop ds", 0, 0x1E, 0x1F, -1, -1},
    {"arpl", 0, 0x63, 0x63, -1, -1},
    {"ins, outs", 0, 0x6C, 0x6F, -1, -1},
    {"mov r/m, sreg", 0, 0x8C, 0x8C, -1, -1},
    {"mov sreg, r/m", 0, 0x8E, 0x8E, -1, -1},
    {"call far", 0, 0x9A, 0x9A, -1, -1},
    {"pushf", 0, 0x9C, 0x9C, -1, -1},
    {"popf", 0, 0x9D, 0x9D, -1, -1},
    {"les, lds", 0, 0xC4, 0xC5, -1, 0},
    {"ret far, int3, int, into, iret", 0, 0xCA, 0xCF, -1, -1},
    {"in, out imm", 0, 0xE4, 0xE7, -1, -1},
    {"jmp far", 0, 0xEA, 0xEA, -1, -1},
    {"in, out dx", 0, 0xEC, 0xEF, -1, -1},
    {"int1", 0, 0xF1, 0xF1, -1, -1},
    {"hlt", 0, 0xF4, 0xF4, -1, -1},
    {"cli, sti", 0, 0xFA, 0xFB, -1, -1},
    {"call far m", 0, 0xFF, 0xFF, 3, 0},
    {"jmp far m", 0, 0xFF, 0xFF, 5, 0},
    {"sldt, str, lldt, ltr, verr, verw", 1, 0x00, 0x00, -1, -1},
    {"sgdt, sidt, lgdt, lidt, smsw, lmsw, invlpg, VMX, SVM ...", 1, 0x01, 0x01, -1, -1},
    {"lar, lsl", 1, 0x02, 0x03, -1, -1},
    {"syscall, clts, sysret, invd, wbinvd", 1, 0x05, 0x09, -1, -1},
    {"mov cr, dr", 1, 0x20, 0x23, -1, -1},
    {"wrmsr", 1, 0x30, 0x30, -1, -1},
    {"rdmsr, rdpmc, sysenter, sysexit", 1, 0x32, 0x35, -1, -1},
    {"getsec", 1, 0x37, 0x37, -1, -1},
    {"push fs, pop fs, cpuid", 1, 0xA0, 0xA2, -1, -1},
    {"push gs, pop gs, rsm", 1, 0xA8, 0xAA, -1, -1},
    {"xsave, xsaveopt", 1, 0xAE, 0xAE, 4, 0},
    {"xrstor", 1, 0xAE, 0xAE, 5, 0},
    {"lss", 1, 0xB2, 0xB2, -1, -1},
    {"lfs, lgs", 1, 0xB4, 0xB5, -1, -1},
    {"fxsave (shows FIP)", 1, 0xAE, 0xAE, 0, 0},
    {"fnstenv (shows FIP)", 0, 0xD9, 0xD9, 6, 0},
    {"fnsave (shows FIP)", 0, 0xDD, 0xDD, 6, 0},
};

} // namespace ringone::tests
