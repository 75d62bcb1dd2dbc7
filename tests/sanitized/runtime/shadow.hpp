// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include <cstddef>
#include <cstdint>

/// The run-time half of GCC's -fsanitize=kernel-address in a user's process. ASan's own has its shadow memory
/// at 0x7fff8000, where guests of the process world live; this one has it at kOffset. Nothing here that
/// instrumented code calls may touch TLS or the vector registers: both can be the guest's.
namespace ringone::sanitizer {

inline constexpr unsigned kScale = 3; ///< one shadow byte for 8 bytes
inline constexpr std::uintptr_t kGranule = std::uintptr_t{1} << kScale;
inline constexpr std::uintptr_t kOffset = RINGONE_SHADOW_OFFSET; ///< the same number goes to the compiler
inline constexpr std::uintptr_t kAddressEnd = std::uintptr_t{1} << 47; ///< of user space

// What GCC (gcc/asan.h) and this runtime write into the shadow: 0 all 8 bytes are good, 1..7 so many are,
// else:
inline constexpr std::uint8_t kStackLeft = 0xF1;
inline constexpr std::uint8_t kStackMiddle = 0xF2;
inline constexpr std::uint8_t kStackRight = 0xF3;
inline constexpr std::uint8_t kStackScope = 0xF8;
inline constexpr std::uint8_t kGlobal = 0xF9;
inline constexpr std::uint8_t kHeap = 0xFA;
inline constexpr std::uint8_t kHeapFreed = 0xFD;
inline constexpr std::uint8_t kAlloca = 0xCA;

[[nodiscard]] inline std::uint8_t* shadow(std::uintptr_t address) {
    return reinterpret_cast<std::uint8_t*>((address >> kScale) + kOffset);
}

/// Maps the shadow, once; before the first use of it. Ends the process where that fails.
void map_shadow();
/// Marks [begin, begin + bytes), begin at a granule; the last granule may be a part of one.
void poison(std::uintptr_t begin, std::size_t bytes, std::uint8_t value);
void unpoison(std::uintptr_t begin, std::size_t bytes);
/// First byte of the range that must not be touched, or 0. The range is within user space.
[[nodiscard]] std::uintptr_t first_bad(std::uintptr_t begin, std::size_t bytes);
/// Reports and ends the process where a byte of the range must not be touched.
void check(std::uintptr_t begin, std::size_t bytes, bool write);

/// Says what is wrong, where from, and aborts.
[[noreturn]] void report_access(std::uintptr_t begin, std::size_t bytes, bool write, std::uintptr_t bad);
[[noreturn]] void report(const char* what, std::uintptr_t address);

} // namespace ringone::sanitizer
