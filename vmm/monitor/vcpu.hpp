// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include <array>
#include <cstdint>

namespace ringone::vmm {

/// General registers in encoding order (SDM Vol. 2 table 2-2).
enum Gpr : std::uint8_t { kEax, kEcx, kEdx, kEbx, kEsp, kEbp, kEsi, kEdi };

/// Segment registers in encoding order.
enum class Segment : std::uint8_t { es, cs, ss, ds, fs, gs };
inline constexpr std::size_t kSegmentCount = 6;

/// EFLAGS, SDM Vol. 1 section 3.4.3.
namespace eflags {
inline constexpr std::uint32_t kCarry = 1U << 0;
inline constexpr std::uint32_t kFixed = 1U << 1;
inline constexpr std::uint32_t kParity = 1U << 2;
inline constexpr std::uint32_t kAdjust = 1U << 4;
inline constexpr std::uint32_t kZero = 1U << 6;
inline constexpr std::uint32_t kSign = 1U << 7;
inline constexpr std::uint32_t kTrap = 1U << 8;
inline constexpr std::uint32_t kInterrupt = 1U << 9;
inline constexpr std::uint32_t kDirection = 1U << 10;
inline constexpr std::uint32_t kOverflow = 1U << 11;
inline constexpr std::uint32_t kIopl = 3U << 12;
inline constexpr unsigned kIoplShift = 12;
inline constexpr std::uint32_t kNestedTask = 1U << 14;
inline constexpr std::uint32_t kResume = 1U << 16;
inline constexpr std::uint32_t kVirtual8086 = 1U << 17;
inline constexpr std::uint32_t kAlignmentCheck = 1U << 18;
inline constexpr std::uint32_t kVif = 1U << 19;
inline constexpr std::uint32_t kVip = 1U << 20;
inline constexpr std::uint32_t kId = 1U << 21;
/// What runs in the hardware register while a fragment runs; all else is virtual.
inline constexpr std::uint32_t kStatus = kCarry | kParity | kAdjust | kZero | kSign | kOverflow;
inline constexpr std::uint32_t kHardware = kStatus | kDirection;
} // namespace eflags

namespace cr0 {
inline constexpr std::uint32_t kPe = 1U << 0, kMp = 1U << 1, kEm = 1U << 2, kTs = 1U << 3, kEt = 1U << 4, kNe = 1U << 5;
inline constexpr std::uint32_t kWp = 1U << 16, kAm = 1U << 18, kNw = 1U << 29, kCd = 1U << 30, kPg = 1U << 31;
} // namespace cr0

namespace cr4 {
inline constexpr std::uint32_t kVme = 1U << 0, kPvi = 1U << 1, kTsd = 1U << 2, kDe = 1U << 3, kPse = 1U << 4, kPae = 1U << 5;
inline constexpr std::uint32_t kMce = 1U << 6, kPge = 1U << 7, kPce = 1U << 8, kOsfxsr = 1U << 9, kOsxmmexcpt = 1U << 10;
} // namespace cr4

/// The hidden part of a segment register, as the CPU cached it at the load (SDM Vol. 3 section 3.4.3).
/// `attributes`: bits 0-3 type, 4 S, 5-6 DPL, 7 P, 12 AVL, 14 D/B, 15 G: bits 8-23 of the descriptor's high doubleword
/// (limit bits 16-19 zero).
struct SegmentCache {
    std::uint16_t selector = 0;
    std::uint16_t attributes = 0;
    std::uint32_t base = 0;
    std::uint32_t limit = 0; ///< in bytes: granularity applied
    bool usable = false;     ///< false after a null selector

    friend constexpr bool operator==(const SegmentCache&, const SegmentCache&) = default;

    [[nodiscard]] constexpr unsigned type() const { return attributes & 0xFU; }
    [[nodiscard]] constexpr bool code_or_data() const { return (attributes & 0x10U) != 0; }
    [[nodiscard]] constexpr bool code() const { return code_or_data() && (attributes & 8U) != 0; }
    [[nodiscard]] constexpr bool conforming() const { return code() && (attributes & 4U) != 0; }
    [[nodiscard]] constexpr bool expand_down() const { return code_or_data() && (attributes & 0xCU) == 4U; }
    [[nodiscard]] constexpr bool writable() const { return code_or_data() && (attributes & 0xAU) == 2U; }
    [[nodiscard]] constexpr bool readable() const { return code_or_data() && (attributes & 0xAU) != 8U; }
    [[nodiscard]] constexpr unsigned dpl() const { return (attributes >> 5U) & 3U; }
    [[nodiscard]] constexpr bool present() const { return (attributes & 0x80U) != 0; }
    [[nodiscard]] constexpr bool big() const { return (attributes & 0x4000U) != 0; } ///< D or B
};

struct TableRegister {
    std::uint32_t base = 0;
    std::uint16_t limit = 0;
};

/// Interrupts and debug traps held off for one instruction after STI, MOV SS and POP SS.
enum class InterruptShadow : std::uint8_t { none, sti, mov_ss };

/// The architectural state of the guest's CPU. Exact whenever the monitor runs (the world's gate and the
/// monitor's entry code move it to and from the hardware registers). Owner: the vCPU thread.
/// x87/MMX/SSE state stays in the hardware registers (see World).
struct VCpu {
    std::array<std::uint32_t, 8> gpr{};
    std::uint32_t eip = 0xFFF0;
    std::uint32_t eflags = eflags::kFixed;
    std::array<SegmentCache, kSegmentCount> segments{};
    SegmentCache ldtr, tr;
    TableRegister gdtr, idtr;
    std::uint32_t cr0 = cr0::kEt | cr0::kNw | cr0::kCd;
    std::uint32_t cr2 = 0, cr3 = 0, cr4 = 0;
    std::array<std::uint32_t, 8> dr{0, 0, 0, 0, 0, 0, 0xFFFF0FF0, 0x400};
    std::uint64_t efer = 0; ///< NXE only
    std::uint32_t sysenter_cs = 0, sysenter_esp = 0, sysenter_eip = 0;
    std::uint64_t pat = 0x0007040600070406;
    std::uint64_t spec_ctrl = 0; ///< IA32_SPEC_CTRL
    std::uint64_t tsc_offset = 0; ///< added to the host's TSC
    std::uint8_t cpl = 0;
    bool halted = false;
    InterruptShadow shadow = InterruptShadow::none;

    [[nodiscard]] SegmentCache& segment(Segment s) { return segments[static_cast<std::size_t>(s)]; }
    [[nodiscard]] const SegmentCache& segment(Segment s) const { return segments[static_cast<std::size_t>(s)]; }
    [[nodiscard]] bool protected_mode() const { return (cr0 & cr0::kPe) != 0; }
    [[nodiscard]] bool virtual_8086() const { return (eflags & eflags::kVirtual8086) != 0; }
    [[nodiscard]] unsigned iopl() const { return (eflags & eflags::kIopl) >> eflags::kIoplShift; }
    [[nodiscard]] bool paging() const { return (cr0 & cr0::kPg) != 0; }
};

} // namespace ringone::vmm
