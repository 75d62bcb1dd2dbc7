// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "translator/decoder.hpp"

#include <cstdint>
#include <span>

namespace ringone::translator {

/// What becomes of a guest instruction in its fragment.
enum class Treatment : std::uint8_t {
    identical, ///< copied byte for byte (a GS/CS override or a 16-bit code segment makes it adjusted)
    adjusted,  ///< re-encoded: PC-relative control flow
    inlined,   ///< monitor semantics without leaving the fragment
    callout,   ///< the monitor executes it
    trap,      ///< always a guest fault
};

/// The planner function a row calls: what the instruction is, independent of the target.
enum class Action : std::uint8_t {
    copy,             ///< user-mode semantics, no monitor state: run as it is
    copy_x87,         ///< as copy, but #NM when CR0.EM or CR0.TS is set
    copy_wait,        ///< FWAIT: #NM when CR0.MP and CR0.TS
    copy_simd,        ///< as copy, but #UD when CR0.EM or not CR4.OSFXSR, #NM when CR0.TS; on MMX registers: copy_mmx
    copy_mmx,         ///< as copy, but #UD when CR0.EM, #NM when CR0.TS
    jump,             ///< JMP near: direct or through register/memory
    jump_conditional, ///< Jcc
    jump_counter,     ///< LOOP, LOOPE, LOOPNE, JCXZ, JECXZ
    call,             ///< CALL near: direct or through register/memory
    ret,              ///< RET near, with or without immediate
    cli,
    sti,
    pushf,
    popf,
    iret,
    read_selector, ///< MOV r/m, sreg and PUSH sreg
    read_tsc,      ///< RDTSC: as it is while CR4.TSD allows
    system,        ///< the monitor executes it (callout)
    fpu_image,     ///< stores an x87 environment that holds an instruction pointer (callout): FNSTENV, FNSAVE, FXSAVE
    undefined,     ///< #UD
};

/// The privilege an instruction needs, checked before any other effect.
enum class Privilege : std::uint8_t {
    none,
    cpl0,       ///< #GP(0) unless CPL = 0
    iopl,       ///< CPL <= IOPL, or VME/PVI rules (CLI, STI, PUSHF, POPF, IRET, INT n in virtual-8086 mode)
    io,         ///< CPL <= IOPL, or the TSS I/O permission bitmap
    protected_mode, ///< #UD in real-address and virtual-8086 mode (ARPL, LAR, LSL, LLDT, LTR, SLDT, STR, VERR, VERW)
};

/// The CPUID feature an instruction belongs to (only what the guest may be offered; the rest is Action::undefined).
enum class Feature : std::uint8_t {
    base, fpu, cmov, mmx, mmx_ext, three_dnow, sse, sse2, sse3, ssse3, sse41, sse42, popcnt, aes, pclmulqdq,
    cx8, tsc, msr, sep, fxsr, clflush, monitor, lzcnt, movbe, nopl, prefetchw, rdtscp, none,
};

struct InstructionRow {
    ZydisMnemonic mnemonic;
    Feature feature;
    Treatment treatment;
    Action action;
    Privilege privilege;
    bool ends_block;
    const char* form; ///< SDM operand forms, e.g. "r/m32, r32 | r32, r/m32"
};

/// All rows: by group, within a group by mnemonic. A doubled row does not compile.
inline constexpr std::uint32_t kRowGroups = 3;
[[nodiscard]] std::span<const InstructionRow> instruction_rows(std::uint32_t group);

/// Rows for the forms of a mnemonic that differ from its ordinary ones (MOV to CR0 is not MOV).
[[nodiscard]] std::span<const InstructionRow> variant_rows();

/// The row of a mnemonic's ordinary form, or null when no host in sight decodes it outside VEX/EVEX.
[[nodiscard]] const InstructionRow* find_row(ZydisMnemonic mnemonic);

/// The row that decides a decoded instruction; one with Action::undefined when the platform does not offer it.
[[nodiscard]] const InstructionRow& classify(const Instruction& instruction);

} // namespace ringone::translator
