// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "tests/sanitized/runtime/shadow.hpp"

#include <sys/mman.h>

namespace ringone::sanitizer {

namespace {

bool mapped = false; // set while there is one thread

void fill(std::uint8_t* to, std::uint8_t value, std::size_t bytes) {
    asm volatile("rep stosb" : "+D"(to), "+c"(bytes) : "a"(value) : "memory");
}

} // namespace

void map_shadow() {
    if (mapped) return;
    void* const begin = shadow(0);
    const std::size_t bytes = kAddressEnd >> kScale;
    constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
    if (mmap(begin, bytes, PROT_READ | PROT_WRITE, kFlags, -1, 0) != begin)
        report("no room for the shadow memory", kOffset);
    (void)madvise(begin, bytes, MADV_DONTDUMP);
    (void)madvise(begin, bytes, MADV_NOHUGEPAGE);
    mapped = true;
}

void poison(std::uintptr_t begin, std::size_t bytes, std::uint8_t value) {
    fill(shadow(begin), value, (bytes + kGranule - 1) >> kScale);
}

void unpoison(std::uintptr_t begin, std::size_t bytes) {
    fill(shadow(begin), 0, bytes >> kScale);
    if (const std::size_t rest = bytes % kGranule; rest != 0)
        *shadow(begin + bytes) = static_cast<std::uint8_t>(rest);
}

std::uintptr_t first_bad(std::uintptr_t begin, std::size_t bytes) {
    const std::uintptr_t end = begin + bytes;
    for (std::uintptr_t at = begin; at < end;) {
        const std::uintptr_t next = (at | (kGranule - 1)) + 1;
        if (const std::uint8_t value = *shadow(at); value != 0) {
            const std::uintptr_t good_end = value < kGranule ? next - kGranule + value : at;
            const std::uintptr_t last = (next < end ? next : end) - 1;
            if (last >= good_end) return at > good_end ? at : good_end;
        }
        at = next;
    }
    return 0;
}

void check(std::uintptr_t begin, std::size_t bytes, bool write) {
    if (bytes == 0) return;
    if (begin >= kAddressEnd || bytes > kAddressEnd - begin) report_access(begin, bytes, write, 0);
    if (const std::uintptr_t bad = first_bad(begin, bytes); bad != 0) report_access(begin, bytes, write, bad);
}

} // namespace ringone::sanitizer
