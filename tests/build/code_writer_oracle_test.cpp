// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
//
// Each form of CodeWriter against Xbyak's encoding of the same instruction. Where an instruction has several
// encodings (Xbyak takes the shortest, CodeWriter one of fixed length, to be patched), Capstone must read
// both alike.
#define XBYAK32
#include <xbyak/xbyak.h>

#include "translator/code_writer.hpp"

#include <capstone/capstone.h>
#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <string>
#include <vector>

namespace ringone::translator {
namespace {

constexpr std::uint32_t kRun = 0xFFC00000; // where the fragments of a guest run
constexpr std::array<std::uint32_t, 5> kValues = {0, 1, 0x7F, 0x80, 0xDEADBEEF}; // both sides of an imm8
constexpr std::array<std::uint32_t, 3> kOffsets = {0, 0x44, 0x12345678};
using Code = std::vector<std::uint8_t>;
using Ours = std::function<void(CodeWriter&)>;
using Theirs = std::function<void(Xbyak::CodeGenerator&)>;

Code ours(const Ours& write) {
    Code code(256);
    CodeWriter writer(code.data(), kRun);
    write(writer);
    code.resize(writer.size());
    return code;
}

Code theirs(const Theirs& write) {
    Code code(256);
    Xbyak::CodeGenerator generator(code.size(), code.data());
    write(generator);
    code.resize(generator.getSize());
    return code;
}

/// Capstone's text of all of `code`, an instruction a line; "?" where it cannot be read to its end.
std::string disassemble(const Code& code) {
    csh handle = 0;
    if (cs_open(CS_ARCH_X86, CS_MODE_32, &handle) != CS_ERR_OK) return "capstone cannot be opened";
    cs_insn* instructions = nullptr;
    const std::size_t count = cs_disasm(handle, code.data(), code.size(), kRun, 0, &instructions);
    std::string text;
    std::size_t read = 0;
    for (std::size_t i = 0; i < count; ++i) {
        text += std::string(instructions[i].mnemonic) + " " + instructions[i].op_str + "\n";
        read += instructions[i].size;
    }
    if (count != 0) cs_free(instructions, count);
    cs_close(&handle);
    return read == code.size() ? text : text + "?";
}

/// The same bytes.
void expect_same(const Ours& a, const Theirs& b) {
    EXPECT_EQ(ours(a), theirs(b)) << disassemble(ours(a)) << "against\n" << disassemble(theirs(b));
}

/// The same instructions, in whatever encoding.
void expect_alike(const Ours& a, const Theirs& b) {
    const std::string text = disassemble(ours(a));
    EXPECT_EQ(text, disassemble(theirs(b)));
    EXPECT_EQ(text.find('?'), std::string::npos) << text;
}

const Xbyak::AddressFrame dword(32);
const Xbyak::AddressFrame word(16);
const Xbyak::Reg32 esp(Xbyak::Operand::ESP);
const Xbyak::Reg32 eax(Xbyak::Operand::EAX);
const Xbyak::Reg32 ecx(Xbyak::Operand::ECX);

Xbyak::Reg32 xbyak_register(Reg32 reg) { return Xbyak::Reg32(static_cast<int>(reg)); }
Reg32 reg(std::uint32_t number) { return static_cast<Reg32>(number); }

template <class Function>
void for_registers(Function function) {
    for (std::uint32_t i = 0; i < 8; ++i) function(reg(i), xbyak_register(reg(i)));
}

TEST(CodeWriterAgainstXbyak, GsForms) {
    for (const std::uint32_t offset : kOffsets) {
        for_registers([offset](Reg32 r, const Xbyak::Reg32& x) {
            // EAX has an encoding one byte shorter, which Xbyak takes.
            const auto expect = r == Reg32::eax ? expect_alike : expect_same;
            expect([=](CodeWriter& w) { w.store_gs(offset, r); },
                   [=](Xbyak::CodeGenerator& g) {
                       g.putSeg(g.gs);
                       g.mov(dword[offset], x);
                   });
            expect([=](CodeWriter& w) { w.load_gs(r, offset); },
                   [=](Xbyak::CodeGenerator& g) {
                       g.putSeg(g.gs);
                       g.mov(x, dword[offset]);
                   });
            const auto alu = [=](std::uint32_t opcode, auto operation) {
                expect_same([=](CodeWriter& w) { w.alu_gs(opcode, r, offset); },
                            [=](Xbyak::CodeGenerator& g) {
                                g.putSeg(g.gs);
                                operation(g, x, dword[offset]);
                            });
            };
            using Generator = Xbyak::CodeGenerator;
            using Register = const Xbyak::Reg32&;
            using Address = const Xbyak::Address&;
            alu(0x03, [](Generator& g, Register to, Address from) { g.add(to, from); });
            alu(0x0B, [](Generator& g, Register to, Address from) { g.or_(to, from); });
            alu(0x23, [](Generator& g, Register to, Address from) { g.and_(to, from); });
            alu(0x2B, [](Generator& g, Register to, Address from) { g.sub(to, from); });
            alu(0x33, [](Generator& g, Register to, Address from) { g.xor_(to, from); });
            alu(0x3B, [](Generator& g, Register to, Address from) { g.cmp(to, from); });
        });
        for (const std::uint32_t value : kValues)
            expect_same([=](CodeWriter& w) { w.store_gs_immediate(offset, value); },
                        [=](Xbyak::CodeGenerator& g) {
                            g.putSeg(g.gs);
                            g.mov(dword[offset], value);
                        });
        expect_same([=](CodeWriter& w) { w.pop_gs(offset); },
                    [=](Xbyak::CodeGenerator& g) {
                        g.putSeg(g.gs);
                        g.pop(dword[offset]);
                    });
        expect_same([=](CodeWriter& w) { w.push_gs(offset); },
                    [=](Xbyak::CodeGenerator& g) {
                        g.putSeg(g.gs);
                        g.push(dword[offset]);
                    });
        for (const std::uint32_t imm8 : {0U, 1U, 0x7FU})
            expect_same([=](CodeWriter& w) { w.compare_gs(offset, imm8); },
                        [=](Xbyak::CodeGenerator& g) {
                            g.putSeg(g.gs);
                            g.cmp(dword[offset], imm8);
                        });
    }
    // A displacement of eight bits would do here, but the form is to be of fixed length.
    expect_same([](CodeWriter& w) { w.jump_table_gs(0x12345678); },
                [](Xbyak::CodeGenerator& g) {
                    g.putSeg(g.gs);
                    g.jmp(dword[ecx + 0x12345678]);
                });
    expect_alike([](CodeWriter& w) { w.jump_table_gs(0x44); },
                 [](Xbyak::CodeGenerator& g) {
                     g.putSeg(g.gs);
                     g.jmp(dword[ecx + 0x44]);
                 });
}

TEST(CodeWriterAgainstXbyak, SegmentLoads) {
    const auto expect = [](SegmentRegister segment, const Xbyak::Segment& x) {
        expect_same([=](CodeWriter& w) { w.load_segment_gs(segment, 0x44); },
                    [=](Xbyak::CodeGenerator& g) {
                        g.putSeg(g.gs);
                        g.mov(x, dword[0x44]);
                    });
    };
    const Xbyak::CodeGenerator g;
    expect(SegmentRegister::es, g.es);
    expect(SegmentRegister::ss, g.ss);
    expect(SegmentRegister::ds, g.ds);
    expect(SegmentRegister::fs, g.fs);
    expect(SegmentRegister::gs, g.gs);
}

TEST(CodeWriterAgainstXbyak, RegisterForms) {
    for_registers([](Reg32 r, const Xbyak::Reg32& x) {
        for_registers([&](Reg32 from, const Xbyak::Reg32& y) {
            expect_same([=](CodeWriter& w) { w.move(r, from); },
                        [=](Xbyak::CodeGenerator& g) { g.mov(x, y); });
        });
        for (const std::uint32_t value : kValues) {
            if (r != Reg32::esp)
                expect_alike([=](CodeWriter& w) { w.add_keeping_flags(r, value); },
                             [=](Xbyak::CodeGenerator& g) { g.lea(x, g.ptr[x + value]); });
            expect_alike([=](CodeWriter& w) { w.test_immediate(r, value); },
                         [=](Xbyak::CodeGenerator& g) { g.test(x, value); });
            expect_alike([=](CodeWriter& w) { w.alu_immediate(0, r, value); },
                         [=](Xbyak::CodeGenerator& g) { g.add(x, value); });
            expect_alike([=](CodeWriter& w) { w.alu_immediate(1, r, value); },
                         [=](Xbyak::CodeGenerator& g) { g.or_(x, value); });
            expect_alike([=](CodeWriter& w) { w.alu_immediate(4, r, value); },
                         [=](Xbyak::CodeGenerator& g) { g.and_(x, value); });
            expect_alike([=](CodeWriter& w) { w.alu_immediate(6, r, value); },
                         [=](Xbyak::CodeGenerator& g) { g.xor_(x, value); });
            expect_alike([=](CodeWriter& w) { w.alu_immediate(7, r, value); },
                         [=](Xbyak::CodeGenerator& g) { g.cmp(x, value); });
        }
    });
    expect_same([](CodeWriter& w) { w.dispatch_index(); },
                [](Xbyak::CodeGenerator& g) {
                    g.lea(ecx, g.ptr[ecx * 4]);
                    g.movzx(ecx, Xbyak::Reg16(1));
                });
    expect_same([](CodeWriter& w) { w.add_eax_ecx(); },
                [](Xbyak::CodeGenerator& g) { g.lea(eax, g.ptr[eax + ecx]); });
}

TEST(CodeWriterAgainstXbyak, StackForms) {
    for_registers([](Reg32 r, const Xbyak::Reg32& x) {
        expect_same([=](CodeWriter& w) { w.load_stack(r); },
                    [=](Xbyak::CodeGenerator& g) { g.mov(x, dword[esp]); });
        expect_same([=](CodeWriter& w) { w.store_stack(r); },
                    [=](Xbyak::CodeGenerator& g) { g.mov(dword[esp], x); });
        expect_same([=](CodeWriter& w) { w.load_below_stack(r); },
                    [=](Xbyak::CodeGenerator& g) { g.mov(x, dword[esp - 4]); });
        expect_same([=](CodeWriter& w) { w.pop(r); }, [=](Xbyak::CodeGenerator& g) { g.pop(x); });
    });
    for (const std::uint32_t value : kValues) {
        expect_alike([=](CodeWriter& w) { w.push_immediate(value); },
                     [=](Xbyak::CodeGenerator& g) { g.push(value); });
        expect_alike([=](CodeWriter& w) { w.add_esp(value); },
                     [=](Xbyak::CodeGenerator& g) { g.lea(esp, g.ptr[esp + value]); });
    }
}

using Jump = void (Xbyak::CodeGenerator::*)(const Xbyak::Label&, Xbyak::CodeGenerator::LabelType);
constexpr auto kNear = Xbyak::CodeGenerator::T_NEAR;
constexpr auto kShort = Xbyak::CodeGenerator::T_SHORT;
constexpr std::array<Jump, 16> kJumps = {
    &Xbyak::CodeGenerator::jo,  &Xbyak::CodeGenerator::jno, &Xbyak::CodeGenerator::jb,
    &Xbyak::CodeGenerator::jnb, &Xbyak::CodeGenerator::jz,  &Xbyak::CodeGenerator::jnz,
    &Xbyak::CodeGenerator::jbe, &Xbyak::CodeGenerator::ja,  &Xbyak::CodeGenerator::js,
    &Xbyak::CodeGenerator::jns, &Xbyak::CodeGenerator::jp,  &Xbyak::CodeGenerator::jnp,
    &Xbyak::CodeGenerator::jl,  &Xbyak::CodeGenerator::jge, &Xbyak::CodeGenerator::jle,
    &Xbyak::CodeGenerator::jg};

TEST(CodeWriterAgainstXbyak, ShortBranches) {
    for (std::uint32_t condition = 0; condition < 16; ++condition)
        expect_same(
            [=](CodeWriter& w) {
                std::uint8_t* mark = w.branch_forward(condition);
                for (int i = 0; i < 100; ++i) w.byte(0x90);
                w.resolve(mark);
            },
            [=](Xbyak::CodeGenerator& g) {
                Xbyak::Label label;
                (g.*kJumps[condition])(label, kShort);
                for (int i = 0; i < 100; ++i) g.db(0x90);
                g.L(label);
            });
    expect_same(
        [](CodeWriter& w) {
            std::uint8_t* mark = w.jecxz_forward();
            w.byte(0x90);
            w.resolve(mark);
        },
        [](Xbyak::CodeGenerator& g) {
            Xbyak::Label label;
            g.jecxz(label);
            g.nop();
            g.L(label);
        });
}

TEST(CodeWriterAgainstXbyak, Fillers) {
    expect_same([](CodeWriter& w) { w.nops_to(w.address() + 10); },
                [](Xbyak::CodeGenerator& g) {
                    g.nop(8, true);
                    g.nop();
                    g.nop();
                });
    expect_same(
        [](CodeWriter& w) {
            w.jecxz(w.address() + 3);
            w.byte(0x90);
        },
        [](Xbyak::CodeGenerator& g) {
            Xbyak::Label label;
            g.jecxz(label);
            g.nop();
            g.L(label);
        });
}

TEST(CodeWriterAgainstXbyak, NearBranches) {
    // Backward, to the start; and forward over 100 bytes.
    for (std::uint32_t condition = 0; condition < 16; ++condition) {
        expect_same(
            [=](CodeWriter& w) {
                w.byte(0x90);
                w.branch(condition, kRun + 106 + 1);
                for (int i = 0; i < 100; ++i) w.byte(0x90);
            },
            [=](Xbyak::CodeGenerator& g) {
                Xbyak::Label label;
                g.nop();
                (g.*kJumps[condition])(label, kNear);
                for (int i = 0; i < 100; ++i) g.db(0x90);
                g.L(label);
            });
    }
    const auto backward = [](auto jump) {
        return [jump](Xbyak::CodeGenerator& g) {
            Xbyak::Label label;
            g.L(label);
            for (int i = 0; i < 3; ++i) g.db(0x90);
            jump(g, label);
        };
    };
    expect_same(
        [](CodeWriter& w) {
            for (int i = 0; i < 3; ++i) w.byte(0x90);
            w.jump(kRun);
        },
        backward([](Xbyak::CodeGenerator& g, const Xbyak::Label& l) { g.jmp(l, kNear); }));
}

TEST(CodeWriterAgainstCapstone, BranchesReachTheWholeAddressSpace) {
    for (const std::uint32_t to : {0U, 0x00100000U, 0x7FFFFFFFU, 0x80000000U, kRun - 1, 0xFFFFFFFFU}) {
        const Code code = ours([to](CodeWriter& w) { w.jump(to); });
        std::int32_t displacement = 0;
        ASSERT_EQ(code.size(), 5U);
        std::memcpy(&displacement, &code[1], 4);
        // The sum is made as the CPU makes it, modulo 2^32.
        EXPECT_EQ(kRun + 5 + static_cast<std::uint32_t>(displacement), to);
        EXPECT_EQ(disassemble(code).substr(0, 4), "jmp ");
    }
}

} // namespace
} // namespace ringone::translator
