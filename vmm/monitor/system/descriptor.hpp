// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "vmm/monitor/vcpu.hpp"

#include <cstdint>

namespace ringone::vmm {

/// Types of system descriptors, SDM Vol. 3 table 3-2.
namespace system_type {
inline constexpr unsigned kTss16Available = 1;
inline constexpr unsigned kLdt = 2;
inline constexpr unsigned kTss16Busy = 3;
inline constexpr unsigned kCallGate16 = 4;
inline constexpr unsigned kTaskGate = 5;
inline constexpr unsigned kInterruptGate16 = 6;
inline constexpr unsigned kTrapGate16 = 7;
inline constexpr unsigned kTss32Available = 9;
inline constexpr unsigned kTss32Busy = 11;
inline constexpr unsigned kCallGate32 = 12;
inline constexpr unsigned kInterruptGate32 = 14;
inline constexpr unsigned kTrapGate32 = 15;
inline constexpr unsigned kBusyBit = 2;  ///< of a TSS type
inline constexpr unsigned kWideBit = 8;  ///< 32-bit gate or TSS
inline constexpr unsigned kTrapBit = 1;  ///< trap rather than interrupt gate
} // namespace system_type

inline constexpr std::uint16_t kSelectorRplMask = 3;
inline constexpr std::uint16_t kSelectorLocal = 4;
inline constexpr std::uint32_t kDescriptorBytes = 8;
inline constexpr std::uint32_t kAccessByte = 5; ///< of a descriptor: P, DPL, S, type
inline constexpr std::uint8_t kAccessedBit = 1; ///< in the access byte of a code or data segment

[[nodiscard]] constexpr bool is_null(std::uint16_t selector) { return (selector & ~kSelectorRplMask) == 0; }
[[nodiscard]] constexpr unsigned rpl(std::uint16_t selector) { return selector & kSelectorRplMask; }
/// A selector as it appears in an error code: index and TI, EXT and IDT clear (SDM Vol. 3 section 6.13).
[[nodiscard]] constexpr std::uint32_t selector_error(std::uint16_t selector) {
    return static_cast<std::uint32_t>(selector & ~kSelectorRplMask);
}

/// One entry of a GDT, LDT or IDT (SDM Vol. 3 sections 3.4.5, 5.8.3, 6.11). Gate accessors count for gates only.
struct Descriptor {
    std::uint32_t low = 0;
    std::uint32_t high = 0;

    [[nodiscard]] constexpr unsigned type() const { return (high >> 8U) & 0xFU; }
    [[nodiscard]] constexpr bool code_or_data() const { return (high & 0x1000U) != 0; }
    [[nodiscard]] constexpr unsigned dpl() const { return (high >> 13U) & 3U; }
    [[nodiscard]] constexpr bool present() const { return (high & 0x8000U) != 0; }
    [[nodiscard]] constexpr std::uint32_t base() const {
        return (low >> 16U) | ((high & 0xFFU) << 16U) | (high & 0xFF00'0000U);
    }
    /// In bytes, granularity applied.
    [[nodiscard]] constexpr std::uint32_t limit() const {
        const std::uint32_t raw = (low & 0xFFFFU) | (high & 0xF'0000U);
        return (high & 0x80'0000U) != 0 ? (raw << 12U) | 0xFFFU : raw;
    }
    [[nodiscard]] constexpr bool system(unsigned t) const { return !code_or_data() && type() == t; }
    [[nodiscard]] constexpr bool code() const { return code_or_data() && (type() & 8U) != 0; }
    [[nodiscard]] constexpr bool conforming() const { return code() && (type() & 4U) != 0; }
    [[nodiscard]] constexpr bool readable() const { return code_or_data() && (type() & 0xAU) != 8U; }
    [[nodiscard]] constexpr bool writable() const { return code_or_data() && (type() & 0xAU) == 2U; }

    [[nodiscard]] constexpr std::uint16_t gate_selector() const { return static_cast<std::uint16_t>(low >> 16U); }
    [[nodiscard]] constexpr bool gate_wide() const { return (type() & system_type::kWideBit) != 0; }
    [[nodiscard]] constexpr std::uint32_t gate_offset() const {
        return (low & 0xFFFFU) | (gate_wide() ? high & 0xFFFF'0000U : 0);
    }
    [[nodiscard]] constexpr unsigned gate_parameters() const { return high & 0x1FU; }

    /// The hidden part this descriptor loads.
    [[nodiscard]] constexpr SegmentCache cache(std::uint16_t selector) const {
        constexpr std::uint32_t kAttributes = 0xD0FF; // all but limit bits 16-19 and L, which has no meaning here
        return {selector, static_cast<std::uint16_t>((high >> 8U) & kAttributes), base(), limit(), true};
    }
};

} // namespace ringone::vmm
