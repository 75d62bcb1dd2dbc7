// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include <cstddef>
#include <new>
#include <span>
#include <sys/mman.h>

namespace ringone::launcher {

/// Memory of zeros that takes none until it is written: the monitor's tables are sized for the worst case.
class ZeroPages {
public:
    /// Throws std::bad_alloc.
    explicit ZeroPages(std::size_t bytes) : bytes_(bytes) {
        void* const at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (at == MAP_FAILED) throw std::bad_alloc();
        memory_ = static_cast<std::byte*>(at);
    }
    ~ZeroPages() { munmap(memory_, bytes_); }
    ZeroPages(const ZeroPages&) = delete;
    ZeroPages& operator=(const ZeroPages&) = delete;

    [[nodiscard]] std::span<std::byte> span() { return {memory_, bytes_}; }

private:
    std::byte* memory_ = nullptr;
    std::size_t bytes_;
};

} // namespace ringone::launcher
