// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "translator/decoder.hpp"

#include <algorithm>
#include <cstring>

namespace ringone::translator {
namespace {

/// Encodings that later CPUs gave a meaning: they decode as what they were before, as the platform's CPUID says.
constexpr ZydisDecoderMode kLaterMeanings[] = {
    ZYDIS_DECODER_MODE_MPX, ZYDIS_DECODER_MODE_CET, ZYDIS_DECODER_MODE_KNC, ZYDIS_DECODER_MODE_CLDEMOTE,
    ZYDIS_DECODER_MODE_AMD_BRANCHES,
};

void initialize(ZydisDecoder& decoder, ZydisMachineMode mode, ZydisStackWidth stack) {
    ZydisDecoderInit(&decoder, mode, stack);
    for (const ZydisDecoderMode later : kLaterMeanings) ZydisDecoderEnableMode(&decoder, later, ZYAN_FALSE);
}

} // namespace

Decoder::Decoder() {
    initialize(decoder16_, ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16);
    initialize(decoder32_, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32);
}

DecodeStatus Decoder::decode(CodeSize size, std::span<const std::uint8_t> bytes, std::uint32_t eip,
                             Instruction& out) const {
    const auto have = static_cast<std::uint32_t>(std::min<std::size_t>(bytes.size(), kMaxInstructionLength));
    out.eip = eip;
    std::memcpy(out.bytes, bytes.data(), have);
    const ZydisDecoder& decoder = size == CodeSize::bits32 ? decoder32_ : decoder16_;
    const ZyanStatus status = ZydisDecoderDecodeFull(&decoder, bytes.data(), have, &out.info, out.operands);
    if (ZYAN_SUCCESS(status)) return DecodeStatus::ok;
    if (status == ZYDIS_STATUS_NO_MORE_DATA)
        return have == kMaxInstructionLength ? DecodeStatus::too_long : DecodeStatus::truncated;
    return status == ZYDIS_STATUS_INSTRUCTION_TOO_LONG ? DecodeStatus::too_long : DecodeStatus::invalid;
}

const ZydisDecodedOperand* Instruction::memory_operand(std::uint32_t index) const {
    for (std::uint32_t i = 0; i < info.operand_count; ++i)
        if (operands[i].type == ZYDIS_OPERAND_TYPE_MEMORY && index-- == 0) return &operands[i];
    return nullptr;
}

ZydisRegister Instruction::segment_override() const {
    constexpr struct {
        ZydisInstructionAttributes attribute;
        ZydisRegister segment;
    } kOverrides[] = {
        {ZYDIS_ATTRIB_HAS_SEGMENT_ES, ZYDIS_REGISTER_ES}, {ZYDIS_ATTRIB_HAS_SEGMENT_CS, ZYDIS_REGISTER_CS},
        {ZYDIS_ATTRIB_HAS_SEGMENT_SS, ZYDIS_REGISTER_SS}, {ZYDIS_ATTRIB_HAS_SEGMENT_DS, ZYDIS_REGISTER_DS},
        {ZYDIS_ATTRIB_HAS_SEGMENT_FS, ZYDIS_REGISTER_FS}, {ZYDIS_ATTRIB_HAS_SEGMENT_GS, ZYDIS_REGISTER_GS},
    };
    for (const auto& o : kOverrides)
        if (has(o.attribute)) return o.segment;
    return ZYDIS_REGISTER_NONE;
}

} // namespace ringone::translator
