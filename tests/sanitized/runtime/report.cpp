// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "tests/sanitized/runtime/shadow.hpp"

#include <cstdlib>
#include <execinfo.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace ringone::sanitizer {

namespace {

// libc's write() sets errno, in TLS that may be the guest's just now.
void say(const char* text) {
    std::size_t bytes = 0;
    while (text[bytes] != '\0') ++bytes;
    long result = SYS_write;
    asm volatile("syscall"
                 : "+a"(result)
                 : "D"(STDERR_FILENO), "S"(text), "d"(bytes)
                 : "rcx", "r11", "memory");
}

void say_number(std::uintptr_t number, unsigned base) {
    char text[24];
    char* at = text + sizeof text - 1;
    *at = '\0';
    do {
        *--at = "0123456789abcdef"[number % base];
        number /= base;
    } while (number != 0);
    say(base == 16 ? "0x" : "");
    say(at);
}

const char* kind_of(std::uintptr_t bad) {
    if (bad == 0) return "wild-pointer";
    std::uint8_t value = *shadow(bad);
    if (value < kGranule) value = *shadow(bad + kGranule); // past the good part: what follows says of what
    switch (value) {
    case kStackLeft:
    case kStackMiddle:
    case kStackRight: return "stack-buffer-overflow";
    case kStackScope: return "stack-use-after-scope";
    case kGlobal: return "global-buffer-overflow";
    case kHeap: return "heap-buffer-overflow";
    case kHeapFreed: return "heap-use-after-free";
    case kAlloca: return "alloca-overflow";
    default: return "bad-access";
    }
}

[[noreturn]] void stop() {
    say("\n");
    // Last: with the guest's FS base this faults, and what matters has been said.
    constexpr int kMostFrames = 48;
    void* frames[kMostFrames];
    backtrace_symbols_fd(frames, backtrace(frames, kMostFrames), STDERR_FILENO);
    std::abort();
}

} // namespace

void report_access(std::uintptr_t begin, std::size_t bytes, bool write, std::uintptr_t bad) {
    say("sanitizer: ");
    say(kind_of(bad));
    say(write ? ": write of " : ": read of ");
    say_number(bytes, 10);
    say(" bytes at ");
    say_number(begin, 16);
    say(", first bad byte ");
    say_number(bad, 16);
    stop();
}

void report(const char* what, std::uintptr_t address) {
    say("sanitizer: ");
    say(what);
    say(" at ");
    say_number(address, 16);
    stop();
}

} // namespace ringone::sanitizer
