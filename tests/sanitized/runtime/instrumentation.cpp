// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
// What GCC's instrumentation calls: the names and types are its own (gcc/sanitizer.def).
#include "tests/sanitized/runtime/shadow.hpp"

namespace {

using namespace ringone::sanitizer;

// Frames between a throw and its handler end without unpoisoning themselves: that much of the stack is
// cleaned.
constexpr std::uintptr_t kStackCleaned = 1U << 20;

struct Global {
    std::uintptr_t begin;
    std::size_t bytes;
    std::size_t bytes_with_redzone;
    const char* name;
    const char* module;
    std::uintptr_t has_dynamic_init;
    const void* location;
    const char* odr_indicator;
};

// A part of a granule can belong to a block of the heap where the stack ends: that check is lost, no more.
bool is_stack_poison(std::uint8_t value) {
    return (value >= kStackLeft && value <= kStackScope) || value == kAlloca || (value != 0 && value < kGranule);
}

template <std::size_t bytes>
void check_small(std::uintptr_t address, bool write) {
    static_assert(bytes <= kGranule);
    // The usual case at once: one granule, all of it good.
    if (address % kGranule + bytes <= kGranule && address < kAddressEnd && *shadow(address) == 0) return;
    check(address, bytes, write);
}

// Before every constructor of this program.
void start(int, char**, char**) { map_shadow(); }
[[gnu::section(".preinit_array"), gnu::used]] void (*const first_of_all)(int, char**, char**) = start;

} // namespace

extern "C" {

void __asan_load1_noabort(std::uintptr_t address) { check_small<1>(address, false); }
void __asan_load2_noabort(std::uintptr_t address) { check_small<2>(address, false); }
void __asan_load4_noabort(std::uintptr_t address) { check_small<4>(address, false); }
void __asan_load8_noabort(std::uintptr_t address) { check_small<8>(address, false); }
void __asan_load16_noabort(std::uintptr_t address) { check(address, 16, false); }
void __asan_loadN_noabort(std::uintptr_t address, std::size_t bytes) { check(address, bytes, false); }
void __asan_store1_noabort(std::uintptr_t address) { check_small<1>(address, true); }
void __asan_store2_noabort(std::uintptr_t address) { check_small<2>(address, true); }
void __asan_store4_noabort(std::uintptr_t address) { check_small<4>(address, true); }
void __asan_store8_noabort(std::uintptr_t address) { check_small<8>(address, true); }
void __asan_store16_noabort(std::uintptr_t address) { check(address, 16, true); }
void __asan_storeN_noabort(std::uintptr_t address, std::size_t bytes) { check(address, bytes, true); }

void __asan_handle_no_return() {
    const auto here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
    for (std::uintptr_t at = here; at < here + kStackCleaned && at < kAddressEnd; at += kGranule)
        if (is_stack_poison(*shadow(at))) *shadow(at) = 0;
}

void __asan_register_globals(const Global* globals, std::size_t count) {
    map_shadow();
    for (const Global* global = globals; global != globals + count; ++global) {
        poison(global->begin, global->bytes_with_redzone, kGlobal);
        unpoison(global->begin, global->bytes);
    }
}

void __asan_unregister_globals(const Global* globals, std::size_t count) {
    for (const Global* global = globals; global != globals + count; ++global)
        unpoison(global->begin, global->bytes_with_redzone);
}

// Around a variable's block; its last granule is all its own.
void __asan_poison_stack_memory(std::uintptr_t begin, std::size_t bytes) {
    poison(begin, bytes, kStackScope);
}
void __asan_unpoison_stack_memory(std::uintptr_t begin, std::size_t bytes) { unpoison(begin, bytes); }

// Around a file's constructors. The order of initialization is not checked.
void __asan_before_dynamic_init(const char*) {}
void __asan_after_dynamic_init() {}

// GCC guards its own alloca with 32 bytes before, and with the rest of 32 and 32 more after.
void __asan_alloca_poison(std::uintptr_t begin, std::size_t bytes) {
    constexpr std::uintptr_t kRedzone = 32;
    const std::uintptr_t end = begin + bytes;
    const std::uintptr_t padded_end = (end + kRedzone - 1) & ~(kRedzone - 1);
    poison(begin - kRedzone, kRedzone, kAlloca);
    poison(end & ~(kGranule - 1), padded_end + kRedzone - (end & ~(kGranule - 1)), kAlloca);
    if (end % kGranule != 0) *shadow(end) = static_cast<std::uint8_t>(end % kGranule);
}

void __asan_allocas_unpoison(std::uintptr_t top, std::uintptr_t bottom) {
    if (top != 0 && top < bottom) unpoison(top, bottom - top);
}

// The linker's --wrap sends calls of these from our own objects here.
#define RINGONE_WRAP_MEMORY(prefix)                                                                          \
    void* __real_##prefix##memcpy(void* to, const void* from, std::size_t bytes);                            \
    void* __real_##prefix##memmove(void* to, const void* from, std::size_t bytes);                           \
    void* __real_##prefix##memset(void* to, int value, std::size_t bytes);                                   \
    int __real_##prefix##memcmp(const void* a, const void* b, std::size_t bytes);                            \
    void* __wrap_##prefix##memcpy(void* to, const void* from, std::size_t bytes) {                           \
        check(reinterpret_cast<std::uintptr_t>(from), bytes, false);                                         \
        check(reinterpret_cast<std::uintptr_t>(to), bytes, true);                                            \
        return __real_##prefix##memcpy(to, from, bytes);                                                     \
    }                                                                                                        \
    void* __wrap_##prefix##memmove(void* to, const void* from, std::size_t bytes) {                          \
        check(reinterpret_cast<std::uintptr_t>(from), bytes, false);                                         \
        check(reinterpret_cast<std::uintptr_t>(to), bytes, true);                                            \
        return __real_##prefix##memmove(to, from, bytes);                                                    \
    }                                                                                                        \
    void* __wrap_##prefix##memset(void* to, int value, std::size_t bytes) {                                  \
        check(reinterpret_cast<std::uintptr_t>(to), bytes, true);                                            \
        return __real_##prefix##memset(to, value, bytes);                                                    \
    }                                                                                                        \
    int __wrap_##prefix##memcmp(const void* a, const void* b, std::size_t bytes) {                           \
        check(reinterpret_cast<std::uintptr_t>(a), bytes, false);                                            \
        check(reinterpret_cast<std::uintptr_t>(b), bytes, false);                                            \
        return __real_##prefix##memcmp(a, b, bytes);                                                         \
    }
RINGONE_WRAP_MEMORY()
RINGONE_WRAP_MEMORY(ringone_)

} // extern "C"
