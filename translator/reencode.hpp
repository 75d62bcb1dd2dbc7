// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "translator/decoder.hpp"

#include <cstdint>
#include <span>

namespace ringone::translator {

enum class SegmentPrefix : std::uint8_t {
    keep,   ///< the guest's override, if any
    fs,     ///< FS whatever the guest's override was
    gs,     ///< GS (the emulator's scratch buffer)
};

/// Room that is enough for every function here: up to three prefixes and a wider displacement are added.
inline constexpr std::uint32_t kMaxReencodedLength = kMaxInstructionLength + 8;

/// Re-emits an instruction that was decoded in a 16- or 32-bit code segment so that it means the same in a 32-bit
/// one, by toggling its size prefixes and replacing its segment override; opcode, ModRM and all else stay the
/// guest's bytes. Not for near branches. Returns the length written.
[[nodiscard]] std::uint32_t reencode(const Instruction& instruction, CodeSize from, SegmentPrefix segment,
                                     std::span<std::uint8_t, kMaxReencodedLength> out);

/// Writes `MOV ecx, r/m32` with the operand of a near indirect JMP or CALL (FF /2, FF /4) of a 32-bit code segment.
[[nodiscard]] std::uint32_t reencode_target_load(const Instruction& branch, SegmentPrefix segment,
                                                 std::span<std::uint8_t, kMaxReencodedLength> out);

/// Writes `MOVZX eax, r/m16` with the operand of a MOV to a segment register (8E) of a 32-bit code segment.
[[nodiscard]] std::uint32_t reencode_selector_load(const Instruction& load, SegmentPrefix segment,
                                                   std::span<std::uint8_t, kMaxReencodedLength> out);

/// Writes the instruction with its ModRM memory operand (or moffs) replaced by GS:[displacement], for a 32-bit code
/// segment. Returns 0 when it has none.
[[nodiscard]] std::uint32_t reencode_absolute(const Instruction& instruction, CodeSize from, std::uint32_t displacement,
                                              std::span<std::uint8_t, kMaxReencodedLength> out);

} // namespace ringone::translator
