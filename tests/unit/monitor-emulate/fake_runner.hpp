// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "translator/decoder.hpp"
#include "vmm/monitor/emulate/native_runner.hpp"
#include "vmm/monitor/operands.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <optional>
#include <vector>

namespace ringone::vmm {

/// In place of the CPU: checks that the code is one instruction whose memory operand is GS:[scratch], and does what a
/// handful of instructions do there. The real CPU is the differential test's matter.
class FakeRunner final : public NativeRunner {
public:
    static constexpr std::uint32_t kScratchOffset = 0x400;

    unsigned runs = 0;
    std::optional<GuestFault> fault; ///< what the instruction raises, once
    std::uint32_t last_operand = 0;  ///< where in the scratch buffer the operand lay
    std::vector<std::uint8_t> last_code;

    std::span<std::byte> scratch() override { return scratch_; }
    std::uint32_t scratch_offset() override { return kScratchOffset; }
    std::uint32_t guest_eip_of(std::uint32_t hardware) override { return hardware == 0xFFC0'1234U ? 0x1'0042U : 0; }

    MaybeFault run(std::span<const std::uint8_t> code, VCpu& vcpu) override {
        ++runs;
        last_code.assign(code.begin(), code.end());
        if (fault) return std::exchange(fault, std::nullopt);
        static const translator::Decoder decoder;
        std::vector<std::uint8_t> padded(code.begin(), code.end());
        padded.resize(translator::kMaxInstructionLength);
        translator::Instruction insn{};
        EXPECT_EQ(decoder.decode(translator::CodeSize::bits32, padded, 0, insn), translator::DecodeStatus::ok);
        EXPECT_EQ(insn.length(), code.size());
        const ZydisDecodedOperand* memory = insn.memory_operand();
        if (memory == nullptr) return {};
        EXPECT_EQ(memory->mem.segment, ZYDIS_REGISTER_GS);
        EXPECT_EQ(memory->mem.base, ZYDIS_REGISTER_NONE);
        EXPECT_EQ(memory->mem.index, ZYDIS_REGISTER_NONE);
        last_operand = static_cast<std::uint32_t>(memory->mem.disp.value) - kScratchOffset;
        execute(insn, vcpu, memory->size / 8U);
        return {};
    }

private:
    void execute(const translator::Instruction& insn, VCpu& vcpu, std::uint32_t bytes) {
        std::byte* at = &scratch_.at(last_operand);
        std::uint32_t value = 0;
        std::memcpy(&value, at, std::min<std::uint32_t>(bytes, 4));
        const bool to_memory = insn.operands[0].type == ZYDIS_OPERAND_TYPE_MEMORY;
        const ZydisRegister reg = insn.operands[to_memory ? 1 : 0].reg.value;
        switch (insn.mnemonic()) {
        case ZYDIS_MNEMONIC_MOV:
            if (to_memory) value = read_gpr(vcpu, reg);
            else write_gpr(vcpu, reg, value);
            break;
        case ZYDIS_MNEMONIC_ADD: value += read_gpr(vcpu, reg); break;
        case ZYDIS_MNEMONIC_XCHG: {
            const std::uint32_t old = value;
            value = read_gpr(vcpu, reg);
            write_gpr(vcpu, reg, old);
            break;
        }
        case ZYDIS_MNEMONIC_CMPXCHG: {
            const bool equal = value == vcpu.gpr[kEax];
            vcpu.eflags = equal ? vcpu.eflags | eflags::kZero : vcpu.eflags & ~eflags::kZero;
            if (equal) value = read_gpr(vcpu, reg);
            else vcpu.gpr[kEax] = value;
            break;
        }
        case ZYDIS_MNEMONIC_CMPXCHG8B: {
            const std::uint32_t pair[] = {vcpu.gpr[kEbx], vcpu.gpr[kEcx]};
            std::memcpy(at, pair, sizeof pair);
            return;
        }
        case ZYDIS_MNEMONIC_FNSTENV: {
            const std::uint32_t image[] = {0x37F, 0, 0xFFFF, 0xFFC0'1234, 0x07FB'00DF, 0x5678, 0x00E7};
            std::memcpy(at, image, sizeof image);
            return;
        }
        case ZYDIS_MNEMONIC_MOVUPS: return;
        case ZYDIS_MNEMONIC_FISTTP: return; // as with an unmasked invalid operation: no store
        case ZYDIS_MNEMONIC_MOVQ:
        case ZYDIS_MNEMONIC_MOVDQU: std::memcpy(at, masked_move[mask_turn_++ & 1U].data(), bytes); return;
        default: ADD_FAILURE() << "the fake does not know this instruction"; break;
        }
        std::memcpy(at, &value, std::min<std::uint32_t>(bytes, 4));
    }

public:
    std::array<std::array<std::uint8_t, 16>, 2> masked_move{}; ///< what the data and the mask register hold

private:
    unsigned mask_turn_ = 0;
    alignas(64) std::array<std::byte, 1024> scratch_{};
};

} // namespace ringone::vmm
