// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "tests/sanitized/faults.hpp"

#include <cstring>

namespace ringone::sanitized {

namespace {

int zeros[5];

// Hides from the compiler what it could know about the memory.
template <typename T>
T* opaque(T* pointer) {
    asm volatile("" : "+r"(pointer) : : "memory");
    return pointer;
}

} // namespace

void write_byte(char* base, std::ptrdiff_t index) { base[index] = 1; }

std::uint64_t read_word(const char* address) {
    std::uint64_t word;
    std::memcpy(&word, address, sizeof word);
    return word;
}

int stack_array(int index) {
    int array[8] = {};
    return opaque(array)[index];
}

int global_array(int index) { return opaque(zeros)[index]; }

int left_scope() {
    int* outlived = nullptr;
    {
        int inner = 3;
        outlived = opaque(&inner);
    }
    return *opaque(outlived);
}

int whole_frame() {
    char bytes[4096];
    std::memset(opaque(bytes), 0, sizeof bytes);
    return bytes[17];
}

void core_copy(char* to, const char* from, std::size_t bytes) { std::memcpy(to, from, bytes); }
void core_set(char* to, std::size_t bytes) { std::memset(to, 0, bytes); }

std::int32_t sum(std::int32_t a, std::int32_t b) { return a + b; }
std::int32_t shifted(std::int32_t value, int by) { return value << by; }

} // namespace ringone::sanitized
