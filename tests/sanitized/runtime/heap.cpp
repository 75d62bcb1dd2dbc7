// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
// The C library's heap with red zones around every block and a quarantine for freed ones. Replaces malloc and
// its kin in the whole process; operator new comes here too.
#include "tests/sanitized/runtime/shadow.hpp"

#include <cerrno>

extern "C" {
void* __libc_malloc(std::size_t bytes);
void* __libc_calloc(std::size_t count, std::size_t bytes);
void* __libc_memalign(std::size_t alignment, std::size_t bytes);
void __libc_free(void* block);
}

namespace {

using namespace ringone::sanitizer;

constexpr std::size_t kRedzone = 32;
constexpr std::size_t kMostBytes = std::size_t{1} << 40;
constexpr std::size_t kQuarantineBlocks = 8192;
constexpr std::size_t kQuarantineBytes = 64U << 20;
constexpr std::uint64_t kInUse = 0x52696e674f6e6521;
constexpr std::uint64_t kFreed = 0x52696e674f6e652d;

/// In the red zone before a block.
struct Header {
    std::uint64_t state;
    std::size_t bytes;
    void* base;        ///< as the C library gave it
    std::size_t whole; ///< bytes from there
};
static_assert(sizeof(Header) <= kRedzone);

/// Freed blocks, oldest first. Owned by whoever holds `lock`.
struct Quarantine {
    Header* blocks[kQuarantineBlocks];
    std::size_t first;
    std::size_t count;
    std::size_t bytes;
    bool lock;
};
Quarantine quarantine;

Header* header_of(void* block) { return reinterpret_cast<Header*>(static_cast<char*>(block) - kRedzone); }

std::uintptr_t number(const void* pointer) { return reinterpret_cast<std::uintptr_t>(pointer); }

void* allocate(std::size_t bytes, std::size_t alignment, bool zeroed) {
    map_shadow();
    if (bytes > kMostBytes || alignment > kMostBytes) {
        errno = ENOMEM;
        return nullptr;
    }
    const std::size_t before = alignment > kRedzone ? alignment : kRedzone;
    const std::size_t whole = before + ((bytes + kGranule - 1) & ~(kGranule - 1)) + kRedzone;
    void* const base = alignment > kRedzone ? __libc_memalign(alignment, whole)
                       : alignment > 16     ? __libc_memalign(kRedzone, whole)
                       : zeroed             ? __libc_calloc(1, whole)
                                            : __libc_malloc(whole);
    if (base == nullptr) return nullptr;
    void* const block = static_cast<char*>(base) + before;
    *header_of(block) = {kInUse, bytes, base, whole};
    poison(number(base), before, kHeap);
    poison(number(block), whole - before, kHeap);
    unpoison(number(block), bytes);
    return block;
}

void give_back(Header* header) {
    header->state = 0;
    // Whatever is mapped here later starts clean.
    unpoison(number(header->base), header->whole & ~(kGranule - 1));
    __libc_free(header->base);
}

void check_in_use(void* block) {
    if (number(block) % 16 != 0) report("free of what is not a block", number(block));
    const std::uint64_t state = header_of(block)->state;
    if (state == kFreed) report("double-free", number(block));
    if (state != kInUse) report("free of what is not a block", number(block));
}

void release(void* block) {
    while (__atomic_test_and_set(&quarantine.lock, __ATOMIC_ACQUIRE)) __builtin_ia32_pause();
    check_in_use(block);
    Header* const header = header_of(block);
    header->state = kFreed;
    poison(number(block), header->bytes, kHeapFreed);
    while (quarantine.count == kQuarantineBlocks ||
           (quarantine.count != 0 && quarantine.bytes + header->whole > kQuarantineBytes)) {
        Header* const oldest = quarantine.blocks[quarantine.first];
        quarantine.first = (quarantine.first + 1) % kQuarantineBlocks;
        --quarantine.count;
        quarantine.bytes -= oldest->whole;
        give_back(oldest);
    }
    quarantine.blocks[(quarantine.first + quarantine.count) % kQuarantineBlocks] = header;
    ++quarantine.count;
    quarantine.bytes += header->whole;
    __atomic_clear(&quarantine.lock, __ATOMIC_RELEASE);
}

} // namespace

extern "C" {

void* malloc(std::size_t bytes) { return allocate(bytes, 16, false); }

void free(void* block) {
    if (block != nullptr) release(block);
}

void* calloc(std::size_t count, std::size_t each) {
    std::size_t bytes = 0;
    if (__builtin_mul_overflow(count, each, &bytes)) bytes = kMostBytes + 1;
    return allocate(bytes, 16, true);
}

void* realloc(void* block, std::size_t bytes) {
    if (block == nullptr) return malloc(bytes);
    if (bytes == 0) {
        free(block);
        return nullptr;
    }
    check_in_use(block);
    void* const moved = malloc(bytes);
    if (moved == nullptr) return nullptr;
    const std::size_t old = header_of(block)->bytes;
    void* to = moved;
    void* from = block;
    std::size_t count = old < bytes ? old : bytes;
    asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
    free(block);
    return moved;
}

void* memalign(std::size_t alignment, std::size_t bytes) { return allocate(bytes, alignment, false); }
void* aligned_alloc(std::size_t alignment, std::size_t bytes) { return allocate(bytes, alignment, false); }

int posix_memalign(void** block, std::size_t alignment, std::size_t bytes) {
    if (alignment < sizeof(void*) || (alignment & (alignment - 1)) != 0) return EINVAL;
    *block = allocate(bytes, alignment, false);
    return *block == nullptr ? ENOMEM : 0;
}

std::size_t malloc_usable_size(void* block) { return block == nullptr ? 0 : header_of(block)->bytes; }

} // extern "C"
