// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "translator/gs_area.hpp"

#include <cstdint>
#include <cstring>
#include <span>

namespace ringone::translator {

/// General registers in encoding order, as the emitter names them.
enum class Reg32 : std::uint8_t { eax, ecx, edx, ebx, esp, ebp, esi, edi };

/// Segment registers in encoding order.
enum class SegmentRegister : std::uint8_t { es, cs, ss, ds, fs, gs };

/// Writes the few ia32 instruction forms that fragments are made of. Code is written through one address and runs
/// at another (32-bit) one. The caller makes sure of the room: see docs/dependencies.md for why this is not Xbyak.
class CodeWriter {
public:
    CodeWriter(std::uint8_t* write, std::uint32_t run) : begin_(write), cursor_(write), run_(run) {}

    [[nodiscard]] std::uint32_t address() const { return run_ + static_cast<std::uint32_t>(cursor_ - begin_); }
    [[nodiscard]] std::uint32_t size() const { return static_cast<std::uint32_t>(cursor_ - begin_); }
    [[nodiscard]] std::uint8_t* cursor() const { return cursor_; }

    void byte(std::uint32_t value) { *cursor_++ = static_cast<std::uint8_t>(value); }
    void dword(std::uint32_t value) {
        std::memcpy(cursor_, &value, sizeof value);
        cursor_ += sizeof value;
    }
    void bytes(std::span<const std::uint8_t> code) {
        std::memcpy(cursor_, code.data(), code.size());
        cursor_ += code.size();
    }

    /// MOV gs:[offset], reg
    void store_gs(std::uint32_t offset, Reg32 reg) { gs_form(0x89, number(reg), offset); }
    /// MOV reg, gs:[offset]
    void load_gs(Reg32 reg, std::uint32_t offset) { gs_form(0x8B, number(reg), offset); }
    /// MOV dword gs:[offset], value
    void store_gs_immediate(std::uint32_t offset, std::uint32_t value) {
        gs_form(0xC7, 0, offset);
        dword(value);
    }
    /// POP dword gs:[offset]
    void pop_gs(std::uint32_t offset) { gs_form(0x8F, 0, offset); }
    /// PUSH dword gs:[offset]
    void push_gs(std::uint32_t offset) { gs_form(0xFF, 6, offset); }
    /// MOV sreg, gs:[offset] (16 bits)
    void load_segment_gs(SegmentRegister segment, std::uint32_t offset) {
        gs_form(0x8E, static_cast<std::uint32_t>(segment), offset);
    }
    /// OP reg, gs:[offset] for a two-operand ALU opcode in its r32, r/m32 form (03 ADD, 0B OR, 23 AND, 33 XOR ...)
    void alu_gs(std::uint32_t opcode, Reg32 reg, std::uint32_t offset) { gs_form(opcode, number(reg), offset); }
    /// CMP dword gs:[offset], imm8
    void compare_gs(std::uint32_t offset, std::uint32_t imm8) {
        gs_form(0x83, 7, offset);
        byte(imm8);
    }
    /// JMP gs:[ecx + offset]
    void jump_table_gs(std::uint32_t offset) {
        byte(0x65);
        byte(0xFF);
        byte(0xA1);
        dword(offset);
    }

    /// LEA ecx, [ecx*4] ; MOVZX ecx, cx: the scaled dispatch index, flags kept
    void dispatch_index() {
        bytes(kDispatchIndex);
    }
    /// LEA reg, [reg + displacement] (reg is not ESP)
    void add_keeping_flags(Reg32 reg, std::uint32_t displacement) {
        byte(0x8D);
        byte(0x80U | number(reg) << 3U | number(reg));
        dword(displacement);
    }
    /// LEA esp, [esp + displacement]
    void add_esp(std::uint32_t displacement) {
        byte(0x8D);
        byte(0xA4);
        byte(0x24);
        dword(displacement);
    }
    /// LEA eax, [eax + ecx]
    void add_eax_ecx() {
        byte(0x8D);
        byte(0x04);
        byte(0x08);
    }
    /// LEA ecx, [ecx + eax + 1]
    void sum_and_one() { bytes(kSumAndOne); }
    /// NOT eax: no flag changes
    void complement_eax() {
        byte(0xF7);
        byte(0xD0);
    }
    /// MOVZX eax, reg16
    void zero_extend_eax(Reg32 reg) {
        byte(0x0F);
        byte(0xB7);
        byte(0xC0U | number(reg));
    }
    /// MOVZX ecx, ax
    void zero_extend_ecx_from_ax() {
        byte(0x0F);
        byte(0xB7);
        byte(0xC8);
    }
    /// MOV reg, [esp + displacement] (displacement below 128)
    void load_stack_at(Reg32 reg, std::uint32_t displacement) {
        byte(0x8B);
        byte(0x44U | number(reg) << 3U);
        byte(0x24);
        byte(displacement);
    }
    /// LAHF ; SETO al
    void save_status() {
        byte(0x9F);
        byte(0x0F);
        byte(0x90);
        byte(0xC0);
    }
    /// ADD al, 7Fh, which overflows where AL is 1 ; SAHF
    void restore_status() {
        byte(0x04);
        byte(0x7F);
        byte(0x9E);
    }
    /// OP reg, imm32 for ALU group 1 (`extension`: 0 ADD, 1 OR, 4 AND, 6 XOR, 7 CMP)
    void alu_immediate(std::uint32_t extension, Reg32 reg, std::uint32_t value) {
        byte(0x81);
        byte(0xC0U | extension << 3U | number(reg));
        dword(value);
    }
    /// TEST reg, imm32
    void test_immediate(Reg32 reg, std::uint32_t value) {
        byte(0xF7);
        byte(0xC0U | number(reg));
        dword(value);
    }
    /// MOV to, from
    void move(Reg32 to, Reg32 from) {
        byte(0x89);
        byte(0xC0U | number(from) << 3U | number(to));
    }
    /// MOV reg, [esp]
    void load_stack(Reg32 reg) {
        byte(0x8B);
        byte(0x04U | number(reg) << 3U);
        byte(0x24);
    }
    /// MOV [esp], reg
    void store_stack(Reg32 reg) {
        byte(0x89);
        byte(0x04U | number(reg) << 3U);
        byte(0x24);
    }
    /// MOV reg, [esp - 4]
    void load_below_stack(Reg32 reg) {
        byte(0x8B);
        byte(0x44U | number(reg) << 3U);
        byte(0x24);
        byte(0xFC);
    }
    void pop(Reg32 reg) { byte(0x58U | number(reg)); }
    /// The target in ECX is `eip` (left of it is 0), or control goes to `miss`. JECXZ: flags are kept.
    void check_target(std::uint32_t eip, std::uint32_t miss) {
        add_keeping_flags(Reg32::ecx, 0U - eip);
        std::uint8_t* const match = jecxz_forward();
        jump(miss);
        resolve(match);
        load_gs(Reg32::ecx, offsetof(GsArea, spill_ecx));
    }
    /// The same for a return, whose target lies where it was popped.
    void check_return(std::uint32_t eip, std::uint32_t miss) {
        load_below_stack(Reg32::ecx);
        check_target(eip, miss);
    }
    void push_immediate(std::uint32_t value) {
        byte(0x68);
        dword(value);
    }

    /// JECXZ to the instruction that the returned mark is resolved at
    [[nodiscard]] std::uint8_t* jecxz_forward() { return short_forward(0xE3); }
    /// Fills up to a run address with NOPs, as long ones as can be.
    void nops_to(std::uint32_t end) {
        constexpr std::uint8_t kLong[] = {0x0F, 0x1F, 0x84, 0, 0, 0, 0, 0};
        while (end - address() >= sizeof kLong) bytes(kLong);
        while (address() != end) byte(0x90);
    }
    /// JECXZ to a run address at most 127 bytes on
    void jecxz(std::uint32_t to) {
        byte(0xE3);
        byte(to - (address() + 1));
    }
    /// Jcc rel8 (`condition` 0 to 15, SDM Vol. 2 appendix B.1.4.7)
    [[nodiscard]] std::uint8_t* branch_forward(std::uint32_t condition) { return short_forward(0x70U | condition); }
    [[nodiscard]] std::uint8_t* short_forward(std::uint32_t opcode) {
        byte(opcode);
        byte(0);
        return cursor_;
    }
    void resolve(std::uint8_t* mark) const { mark[-1] = static_cast<std::uint8_t>(cursor_ - mark); }

    /// JMP or Jcc rel32. The rel32 field is the last four bytes.
    void jump(std::uint32_t to) { relative(0xE9, to); }
    void branch(std::uint32_t condition, std::uint32_t to) {
        byte(0x0F);
        relative(0x80U | condition, to);
    }

private:
    static constexpr std::uint8_t kDispatchIndex[] = {0x8D, 0x0C, 0x8D, 0, 0, 0, 0, 0x0F, 0xB7, 0xC9};

    static constexpr std::uint8_t kSumAndOne[] = {0x8D, 0x4C, 0x01, 0x01};

    static constexpr std::uint32_t number(Reg32 reg) { return static_cast<std::uint32_t>(reg); }
    void gs_form(std::uint32_t opcode, std::uint32_t reg, std::uint32_t offset) {
        byte(0x65);
        byte(opcode);
        byte(0x05U | reg << 3U);
        dword(offset);
    }
    void relative(std::uint32_t opcode, std::uint32_t to) {
        byte(opcode);
        dword(to - (address() + 4));
    }

    std::uint8_t* begin_;
    std::uint8_t* cursor_;
    std::uint32_t run_;
};

} // namespace ringone::translator
