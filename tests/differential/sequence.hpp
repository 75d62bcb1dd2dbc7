// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "translator/decoder.hpp"

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace ringone::tests {

/// One random instruction; a branch goes to the start of the instruction `skip` places further on.
struct RandomInstruction {
    std::vector<std::uint8_t> bytes;
    bool branch = false;       ///< the last `displacement_bytes` are a relative displacement to be filled in
    std::uint8_t displacement_bytes = 0;
    std::uint8_t skip = 1;
    std::uint8_t push_target = 0; ///< 0: no; else the bytes hold an absolute target at this offset (PUSH imm; RET)
};

using Sequence = std::vector<RandomInstruction>;

/// Makes random instructions, valid and invalid, that may run natively in this process: whatever would leave the
/// sandbox or see the host instead of the guest (system calls, far transfers, selectors, CPUID, time) is left out.
class Generator {
public:
    Generator(std::uint64_t seed, translator::CodeSize size) : random_(seed), size_(size) {}

    [[nodiscard]] Sequence sequence();
    /// A number in [0, bound).
    [[nodiscard]] std::uint32_t below(std::uint32_t bound) { return static_cast<std::uint32_t>(random_() % bound); }
    [[nodiscard]] std::uint32_t word() { return static_cast<std::uint32_t>(random_()); }
    /// A register value: often an address of the data area, sometimes a border case.
    [[nodiscard]] std::uint32_t interesting_value();

private:
    [[nodiscard]] RandomInstruction plain();
    [[nodiscard]] RandomInstruction branch();
    [[nodiscard]] RandomInstruction set_register();
    void random_bytes(std::vector<std::uint8_t>& bytes);

    std::mt19937_64 random_;
    translator::CodeSize size_;
    translator::Decoder decoder_;
};

/// Places the sequence at `eip` and ends it with HLT (which faults at CPL 3).
[[nodiscard]] std::vector<std::uint8_t> assemble(const Sequence& sequence, std::uint32_t eip, translator::CodeSize size);
/// Bytes and disassembly, an instruction a line.
[[nodiscard]] std::string describe(const std::vector<std::uint8_t>& code, std::uint32_t eip, translator::CodeSize size);

/// Offsets below this are inside every data segment of the test.
inline constexpr std::uint32_t kDataBytes = 0x8000;

} // namespace ringone::tests
