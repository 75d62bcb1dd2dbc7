// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
// Each kind of error that a sanitized boot is to find, made on purpose in code built with the same flags.
#include "tests/sanitized/faults.hpp"

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <gtest/gtest.h>
#include <memory>
#include <stdexcept>
#include <sys/mman.h>
#include <vector>

namespace {

using namespace ringone::sanitized;

#define EXPECT_REPORT(statement, text) EXPECT_EXIT(statement, testing::KilledBySignal(SIGABRT), text)

template <typename T>
T* opaque(T* pointer) {
    asm volatile("" : "+r"(pointer));
    return pointer;
}

TEST(Sanitizer, HeapOverflow) {
    const std::unique_ptr<char[]> block(opaque(new char[13]));
    write_byte(block.get(), 12);
    EXPECT_REPORT(write_byte(block.get(), 13), "heap-buffer-overflow: write of 1 bytes");
    EXPECT_REPORT(write_byte(block.get(), -1), "heap-buffer-overflow");
    EXPECT_REPORT((void)read_word(block.get() + 8), "heap-buffer-overflow: read of 8 bytes");
}

TEST(Sanitizer, HeapUseAfterFree) {
    char* const block = opaque(static_cast<char*>(std::malloc(100)));
    std::free(opaque(block));
    EXPECT_REPORT((void)read_word(block), "heap-use-after-free");
    EXPECT_REPORT(std::free(block), "double-free");
}

TEST(Sanitizer, OtherAllocators) {
    void* aligned = nullptr;
    ASSERT_EQ(posix_memalign(&aligned, 4096, 4096), 0);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(aligned) % 4096, 0U);
    EXPECT_REPORT(write_byte(static_cast<char*>(aligned), 4096), "heap-buffer-overflow");
    std::free(aligned);
    char* block = static_cast<char*>(std::calloc(3, 7));
    EXPECT_EQ(block[20], 0);
    block[20] = 5;
    block = static_cast<char*>(std::realloc(block, 22));
    EXPECT_EQ(block[20], 5);
    EXPECT_REPORT(write_byte(block, 22), "heap-buffer-overflow");
    std::free(block);
}

TEST(Sanitizer, StackOverflow) {
    EXPECT_EQ(stack_array(7), 0);
    EXPECT_REPORT((void)stack_array(8), "stack-buffer-overflow");
    EXPECT_REPORT((void)stack_array(-1), "stack-buffer-overflow");
}

TEST(Sanitizer, StackUseAfterScope) { EXPECT_REPORT((void)left_scope(), "stack-use-after-scope"); }

TEST(Sanitizer, GlobalOverflow) {
    EXPECT_EQ(global_array(4), 0);
    EXPECT_REPORT((void)global_array(5), "global-buffer-overflow");
}

// The core's own memory functions, and the C library's.
TEST(Sanitizer, MemoryFunctions) {
    const std::unique_ptr<char[]> block(new char[40]());
    char* const to = opaque(block.get());
    volatile std::size_t too_many = 41;
    char from[64] = {};
    core_copy(to, from, 40);
    EXPECT_REPORT(core_copy(to, from, too_many), "heap-buffer-overflow: write of 41 bytes");
    EXPECT_REPORT(core_set(to, too_many), "heap-buffer-overflow: write of 41 bytes");
    EXPECT_REPORT(std::memcpy(to, from, too_many), "heap-buffer-overflow: write of 41 bytes");
    EXPECT_REPORT(std::memset(to, 0, too_many), "heap-buffer-overflow: write of 41 bytes");
    EXPECT_REPORT(std::memmove(from, to, too_many), "heap-buffer-overflow: read of 41 bytes");
}

TEST(Sanitizer, WildPointer) {
    EXPECT_REPORT((void)read_word(reinterpret_cast<char*>(std::uintptr_t{1} << 60)), "wild-pointer");
}

TEST(Sanitizer, UndefinedBehaviour) {
    EXPECT_EQ(sum(1, 2), 3);
    EXPECT_DEATH((void)sum(INT32_MAX, 1), "runtime error: signed integer overflow");
    EXPECT_DEATH((void)shifted(1, 40), "runtime error: shift exponent");
}

// Frames that an exception leaves have poisoned the stack that later calls use.
TEST(Sanitizer, ExceptionsLeaveACleanStack) {
    for (int depth = 1; depth < 40; ++depth) {
        EXPECT_THROW((void)throw_from(depth), std::runtime_error);
        EXPECT_EQ(stack_array(3), 0);
        EXPECT_GE(whole_frame(), 0);
    }
}

TEST(Sanitizer, BlocksAreReusedAfterQuarantine) {
    std::vector<std::vector<char>> kept;
    for (int round = 0; round < 30000; ++round) {
        std::vector<char> block(static_cast<std::size_t>(round % 300 + 1), 'x');
        if (round % 64 == 0) kept.push_back(std::move(block));
    }
    for (const std::vector<char>& block : kept) EXPECT_EQ(block.back(), 'x');
}

// What ASan itself cannot have: the guest's linear space, at its own addresses.
TEST(Sanitizer, LowFourGigabytesAreFree) {
    void* const begin = reinterpret_cast<void*>(std::uintptr_t{0x10000});
    const std::size_t bytes = (std::size_t{1} << 32) - 0x10000;
    ASSERT_EQ(mmap(begin, bytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0),
              begin);
    write_byte(static_cast<char*>(begin), 0x7fff8000 - 0x10000);
    EXPECT_EQ(munmap(begin, bytes), 0);
}

} // namespace
