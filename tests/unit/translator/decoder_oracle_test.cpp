// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
//
// The translator's decoder against Capstone: instruction or not, and how long. Every difference must be one of the
// reasoned list, and every entry of the list must be needed.
#include "tests/unit/translator/decoder_differences.hpp"
#include "tests/unit/translator/encodings.hpp"
#include "translator/instruction_table.hpp"

#include <capstone/capstone.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <random>
#include <set>
#include <string>

namespace ringone::tests {
namespace {

using namespace translator;

std::string hex(std::span<const std::uint8_t> bytes) {
    std::string text;
    for (const std::uint8_t b : bytes) {
        char two[4];
        std::snprintf(two, sizeof two, "%02x ", b);
        text += two;
    }
    return text;
}

/// Both decoders for one code size.
class Comparison {
public:
    explicit Comparison(CodeSize size) : size_(size) {
        EXPECT_EQ(cs_open(CS_ARCH_X86, size == CodeSize::bits32 ? CS_MODE_32 : CS_MODE_16, &capstone_), CS_ERR_OK);
        found_ = cs_malloc(capstone_);
    }
    ~Comparison() {
        cs_free(found_, 1);
        cs_close(&capstone_);
    }
    Comparison(const Comparison&) = delete;
    Comparison& operator=(const Comparison&) = delete;

    void compare(std::span<const std::uint8_t> bytes) {
        ++compared;
        Instruction instruction;
        const DecodeStatus status = decoder_.decode(size_, bytes, kEip, instruction);
        // Of an encoding that is #UD whatever follows, the length does not matter.
        if (status == DecodeStatus::ok && classify(instruction).action == Action::undefined) return;
        const std::uint32_t ours = status == DecodeStatus::ok ? instruction.length() : 0;
        const std::uint32_t theirs = capstone_length(bytes);
        if (ours == theirs) return;
        const Disagreement kind = theirs == 0 ? Disagreement::only_zydis
                                  : ours == 0 ? Disagreement::only_capstone
                                              : Disagreement::length;
        if (const DecoderDifference* known = explain(kind, size_, bytes)) {
            explained.insert(known);
            return;
        }
        if (++unexplained > kShown) return;
        ADD_FAILURE() << hex(bytes) << ": Zydis "
                      << (ours != 0 ? ZydisMnemonicGetString(instruction.mnemonic()) : "nothing") << ' ' << ours
                      << ", Capstone " << (theirs != 0 ? found_->mnemonic : "nothing") << ' ' << theirs;
    }

    std::uint64_t compared = 0;
    std::uint64_t unexplained = 0;
    std::set<const DecoderDifference*> explained;

private:
    static constexpr std::uint32_t kEip = 0x1000;
    static constexpr std::uint64_t kShown = 20;

    /// 0: no instruction.
    std::uint32_t capstone_length(std::span<const std::uint8_t> bytes) {
        const std::uint8_t* at = bytes.data();
        std::size_t left = bytes.size();
        std::uint64_t address = kEip;
        return cs_disasm_iter(capstone_, &at, &left, &address, found_) ? found_->size : 0U;
    }

    CodeSize size_;
    Decoder decoder_;
    csh capstone_{};
    cs_insn* found_ = nullptr;
};

TEST(DecoderOracle, every_encoding) {
    std::set<const DecoderDifference*> needed;
    for (const CodeSize size : {CodeSize::bits16, CodeSize::bits32}) {
        Comparison both(size);
        for_each_encoding([&both](std::span<const std::uint8_t> bytes) { both.compare(bytes); });
        EXPECT_EQ(both.unexplained, 0U);
        EXPECT_GT(both.compared, 3'000'000U);
        needed.insert(both.explained.begin(), both.explained.end());
    }
    for (const DecoderDifference& difference : decoder_differences())
        EXPECT_TRUE(needed.contains(&difference)) << "explains nothing: " << difference.why;
}

TEST(DecoderOracle, random_bytes) {
    constexpr std::uint64_t kSeed = 20261128;
    for (const CodeSize size : {CodeSize::bits16, CodeSize::bits32}) {
        std::mt19937_64 random(kSeed);
        Comparison both(size);
        for (std::uint32_t n = 0; n < 2'000'000; ++n) {
            std::array<std::uint8_t, kMaxInstructionLength> bytes;
            for (std::uint8_t& b : bytes) b = static_cast<std::uint8_t>(random() >> 11U);
            both.compare(bytes);
        }
        EXPECT_EQ(both.unexplained, 0U);
    }
}

} // namespace
} // namespace ringone::tests
