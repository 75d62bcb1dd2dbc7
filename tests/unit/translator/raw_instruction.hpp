// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace ringone::tests {

/// The parts of an instruction that every decoder must find first, found without one (SDM Vol. 2 section 2.1).
struct RawInstruction {
    bool operand_size = false; ///< 66
    bool address_size = false; ///< 67
    bool lock = false;         ///< F0
    bool repne = false;        ///< F2
    bool rep = false;          ///< F3
    std::uint8_t segment = 0;  ///< the last override
    unsigned prefixes = 0;
    unsigned map = 0;          ///< 0: one byte, 1: 0F, 2: 0F 38, 3: 0F 3A
    std::uint8_t opcode = 0;
    std::uint8_t modrm = 0; ///< the byte behind the opcode, ModRM or not

    [[nodiscard]] unsigned mod() const { return modrm >> 6U; }
    [[nodiscard]] unsigned reg() const { return modrm >> 3U & 7U; }
};

[[nodiscard]] inline RawInstruction parse_raw(std::span<const std::uint8_t> bytes) {
    RawInstruction raw;
    std::size_t at = 0;
    const auto next = [&]() -> std::uint8_t { return at < bytes.size() ? bytes[at++] : std::uint8_t{0}; };
    for (;; ++raw.prefixes) {
        raw.opcode = next();
        switch (raw.opcode) {
        case 0x66: raw.operand_size = true; continue;
        case 0x67: raw.address_size = true; continue;
        case 0xF0: raw.lock = true; continue;
        case 0xF2: raw.repne = true; continue;
        case 0xF3: raw.rep = true; continue;
        case 0x26:
        case 0x2E:
        case 0x36:
        case 0x3E:
        case 0x64:
        case 0x65: raw.segment = raw.opcode; continue;
        default: break;
        }
        break;
    }
    if (raw.opcode == 0x0F) {
        raw.map = 1;
        raw.opcode = next();
        if (raw.opcode == 0x38 || raw.opcode == 0x3A) {
            raw.map = raw.opcode == 0x38 ? 2 : 3;
            raw.opcode = next();
        }
    }
    raw.modrm = next();
    return raw;
}

} // namespace ringone::tests
