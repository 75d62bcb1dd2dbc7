// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "tests/unit/translator/raw_instruction.hpp"
#include "translator/decoder.hpp"

#include <cstdint>
#include <span>

namespace ringone::tests {

/// How the translator's decoder (Zydis) and Capstone can disagree.
enum class Disagreement : std::uint8_t {
    only_zydis,    ///< Capstone finds no instruction
    only_capstone, ///< Zydis finds none: the guest gets #UD
    length,
};

/// A reasoned difference between the two decoders.
struct DecoderDifference {
    Disagreement kind;
    bool (*applies)(translator::CodeSize, const RawInstruction&);
    const char* right; ///< who is right
    const char* why;
};

[[nodiscard]] std::span<const DecoderDifference> decoder_differences();

/// The entry that explains this difference, or null.
[[nodiscard]] const DecoderDifference* explain(Disagreement kind, translator::CodeSize size,
                                               std::span<const std::uint8_t> bytes);

} // namespace ringone::tests
