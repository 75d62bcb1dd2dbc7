// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include <cstddef>
#include <cstdint>

namespace ringone::translator {

/// Entries of one dispatch table; indexed by the low 14 bits of the guest EIP, because
/// LEA ecx,[ecx*4] + MOVZX ecx,cx computes exactly that index, scaled, without touching a flag.
inline constexpr std::uint32_t kDispatchEntries = 1U << 14;
inline constexpr std::uint32_t kDispatchMask = kDispatchEntries - 1;

/// Fragments of the guest's kernel and of its user mode never share a dispatch table: a jump from user code to
/// a kernel address must not find the kernel's fragment.
inline constexpr std::uint32_t kDispatchClasses = 2;

/// What a fragment wants when it leaves through the exit gate: low four bits of GsArea::exit_info.
enum class ExitKind : std::uint32_t {
    link,     ///< a direct branch whose target is not chained; the other bits are the link's index
    indirect, ///< an indirect branch to GsArea::target is not known here; the other bits: its site's link + 1, or 0
    callout,  ///< the monitor executes the instruction at GsArea::exit_eip
    fault,    ///< the guest faults at GsArea::exit_eip; the other bits are the vector
    step,     ///< a one-instruction fragment is done; GsArea::exit_eip is the next EIP
    native,   ///< a one-shot fragment of the emulator is done
};
inline constexpr std::uint32_t kExitKindBits = 4;

/// Bytes that an emulated instruction's operand may fill (FXSAVE: 512) plus room to keep the guest's alignment.
inline constexpr std::uint32_t kScratchBytes = 1024;

/// A selector that the guest's kernel has loaded before: what an inlined MOV or POP to a segment register finds.
struct SelectorWay {
    std::uint32_t selector; ///< kNoSelector: none
    std::uint32_t shadow;
    std::uint32_t user_shadow; ///< for the guest's user mode; kNoPassage where that may not have the segment
    std::uint32_t wrap; ///< ModeSegments::swap_wrap with it, where FS holds this segment: FS in the kernel, GS in user mode
};
inline constexpr std::uint32_t kSelectorWays = 2;
inline constexpr std::uint32_t kSegmentRegisters = 6;
inline constexpr std::uint32_t kNoSelector = 0xFFFFFFFF;

/// Above all selectors, and so are sums of it and a few of them.
inline constexpr std::uint32_t kNoPassage = 0x10000;

/// Shadow selectors that fragments load, for the guest's kernel or its user mode.
struct ModeSegments {
    std::uint32_t swap_fs;    ///< what FS holds
    std::uint32_t swap_other; ///< the guest's other one of FS and GS
    std::uint32_t swap_cs;    ///< reads the guest's code segment as data
    std::uint32_t swap_wrap;  ///< what wraps at 4 GiB of the segment that FS holds
    std::uint32_t ss;
    std::uint32_t es, ds;     ///< loaded by passages to user mode
    std::uint32_t cs_selector, ss_selector; ///< the guest's, that MOV r, sreg shows
};

/// The monitor's data that fragments reach through GS. GS covers this structure and nothing else, and no guest
/// instruction reaches GS. Owner: the vCPU thread, except `kick`.
struct GsArea {
    std::uint32_t spill_eax;
    std::uint32_t spill_ecx;
    std::uint32_t return_esp; ///< what an inlined IRET has found on the stack
    std::uint32_t target; ///< guest EIP an indirect branch goes to
    std::uint32_t exit_info;
    std::uint32_t exit_eip;
    std::uint32_t virtual_if; ///< the guest's IF: 0 or 0x200
    /// EFLAGS bits that are virtual: all but status flags, DF and IF; bit 1 set.
    std::uint32_t virtual_flags;
    /// Added, with virtual_if, to a hardware PUSHF image to make the guest's: virtual_flags - kHardwareSystemFlags.
    std::uint32_t flags_delta;
    /// Nonzero: an interrupt waits for IF. An inlined STI or POPF that would set IF calls out.
    std::uint32_t interrupt_waits;
    std::uint32_t temporary;
    std::uint32_t return_target; ///< guest EIP of the last return that missed the return cache
    std::uint32_t flags_spill;
    std::uint16_t guest_selectors[kSegmentRegisters][2]; ///< what MOV r, sreg shows, but for CS and SS; encoding order; second half zero
    ModeSegments modes[kDispatchClasses];
    SelectorWay ways[kSelectorWays][kSegmentRegisters]; ///< encoding order
    std::uint32_t loaded_way[kSegmentRegisters];         ///< 1 + the way that a fragment has loaded since the monitor looked; 0: none
    /// Passages from the guest's kernel to its user mode and back, by SYSENTER, SYSEXIT and IRET: 0 where fragments may
    /// take them, else kNoPassage.
    std::uint32_t enter_closed, exit_closed, return_closed;
    std::uint32_t enter_esp, enter_eip; ///< where SYSENTER leads
    std::uint32_t passage; ///< 1 + the dispatch class that the last passage led to since the monitor looked; 0: none
    alignas(64) std::uint8_t scratch[kScratchBytes];
    alignas(64) std::uint32_t return_cache[kDispatchClasses][kDispatchEntries];
    std::uint32_t indirect_table[kDispatchClasses][kDispatchEntries];
};

/// What PUSHF shows of the system flags while a fragment runs: IF and the fixed bit.
inline constexpr std::uint32_t kHardwareSystemFlags = 0x202;

static_assert(offsetof(GsArea, spill_eax) == 0, "short, stable displacements for the hot slots");
static_assert(sizeof(GsArea) % 64 == 0);

} // namespace ringone::translator
