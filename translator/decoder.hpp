// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include <Zydis/Zydis.h>

#include <cstdint>
#include <span>

namespace ringone::translator {

/// SDM Vol. 2 section 2.3.11: an instruction longer than this raises #GP(0).
inline constexpr std::uint32_t kMaxInstructionLength = 15;

/// Default operand and address size of a code segment (the D flag of its descriptor).
enum class CodeSize : std::uint8_t { bits16, bits32 };

enum class DecodeStatus : std::uint8_t {
    ok,
    invalid,   ///< no such encoding: #UD
    too_long,  ///< more than 15 bytes: #GP(0)
    truncated, ///< the bytes given end inside the instruction
};

/// One guest instruction, decoded from a snapshot of its bytes (guest memory is never read twice).
struct Instruction {
    ZydisDecodedInstruction info;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    std::uint8_t bytes[kMaxInstructionLength];
    std::uint32_t eip; ///< guest EIP of the first byte

    [[nodiscard]] std::uint32_t length() const { return info.length; }
    [[nodiscard]] ZydisMnemonic mnemonic() const { return info.mnemonic; }
    [[nodiscard]] std::uint32_t next_eip() const { return eip + info.length; }
    [[nodiscard]] std::span<const ZydisDecodedOperand> visible() const {
        return {operands, info.operand_count_visible};
    }
    /// The explicit or implicit memory operand that `index` counts (0 = first), or null.
    [[nodiscard]] const ZydisDecodedOperand* memory_operand(std::uint32_t index = 0) const;
    /// Segment override prefix as ZYDIS_REGISTER_xS, or ZYDIS_REGISTER_NONE.
    [[nodiscard]] ZydisRegister segment_override() const;
    [[nodiscard]] bool has(ZydisInstructionAttributes attribute) const {
        return (info.attributes & attribute) != 0;
    }
};

/// Wraps the Zydis decoders for 16- and 32-bit code segments. Immutable after construction.
class Decoder {
public:
    Decoder();

    /// Decodes all operands. `bytes` may be longer than the instruction. Writes `out` when the status is ok;
    /// otherwise only out.eip and out.bytes are meaningful.
    [[nodiscard]] DecodeStatus decode(CodeSize size, std::span<const std::uint8_t> bytes, std::uint32_t eip,
                                      Instruction& out) const;

private:
    ZydisDecoder decoder16_;
    ZydisDecoder decoder32_;
};

} // namespace ringone::translator
