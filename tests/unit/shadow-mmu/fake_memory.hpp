// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "shadow-mmu/guest_walk.hpp"

#include <cstdint>
#include <cstring>
#include <optional>
#include <vector>

namespace ringone::mmu::test {

/// Guest-physical memory of two pieces: RAM from 0 on, and RAM from 4 GiB on (for PSE-36 and PAE). Outside of them
/// reads give ones. Notes the address of each change.
class FakeMemory {
public:
    static constexpr std::uint64_t kHighBase = 1ULL << 32;

    FakeMemory(std::uint32_t low_pages, std::uint32_t high_pages)
        : low_pages_(low_pages), ram_pages_(low_pages + high_pages),
          bytes_(std::uint64_t{ram_pages_} << kPageShift) {}

    [[nodiscard]] std::uint32_t ram_pages() const { return ram_pages_; }

    [[nodiscard]] std::optional<RamPage> ram_page(GuestPhysical at) const {
        const std::uint64_t page = at.address >> kPageShift;
        constexpr std::uint64_t kHighPage = kHighBase >> kPageShift;
        if (page < low_pages_) return RamPage{static_cast<std::uint32_t>(page)};
        if (page < kHighPage || page - kHighPage >= ram_pages_ - low_pages_) return {};
        return RamPage{low_pages_ + static_cast<std::uint32_t>(page - kHighPage)};
    }

    [[nodiscard]] std::uint32_t read32(GuestPhysical at) const { return load<std::uint32_t>(at); }
    [[nodiscard]] std::uint64_t read64(GuestPhysical at) const { return load<std::uint64_t>(at); }
    [[nodiscard]] bool compare_exchange32(GuestPhysical at, std::uint32_t expected, std::uint32_t desired) {
        return exchange(at, expected, desired);
    }
    [[nodiscard]] bool compare_exchange64(GuestPhysical at, std::uint64_t expected, std::uint64_t desired) {
        return exchange(at, expected, desired);
    }

    void write32(std::uint64_t at, std::uint32_t value) { store({at}, value); }
    void write64(std::uint64_t at, std::uint64_t value) { store({at}, value); }
    /// An entry of a table: 4 or 8 bytes.
    void write_entry(std::uint64_t at, std::uint64_t value, bool wide) {
        if (wide) write64(at, value);
        else write32(at, static_cast<std::uint32_t>(value));
    }

    /// Addresses changed since the last clear.
    std::vector<std::uint64_t> changes;
    /// Reads since the start.
    mutable std::uint64_t reads = 0;
    /// The next compare-exchange fails after the entry was changed by somebody else: these bits are set.
    std::uint64_t race = 0;

private:
    [[nodiscard]] std::uint64_t offset(GuestPhysical at, RamPage page) const {
        return (std::uint64_t{page.number} << kPageShift) + (at.address & (kPageBytes - 1));
    }
    template <typename T>
    [[nodiscard]] T load(GuestPhysical at) const {
        ++reads;
        const std::optional<RamPage> page = ram_page(at);
        if (!page) return static_cast<T>(~T{0});
        T value;
        std::memcpy(&value, &bytes_[offset(at, *page)], sizeof value);
        return value;
    }
    template <typename T>
    void store(GuestPhysical at, T value) {
        const std::optional<RamPage> page = ram_page(at);
        if (!page) return;
        std::memcpy(&bytes_[offset(at, *page)], &value, sizeof value);
        changes.push_back(at.address);
    }
    template <typename T>
    [[nodiscard]] bool exchange(GuestPhysical at, T expected, T desired) {
        if (!ram_page(at)) return true;
        if (race != 0) {
            store(at, static_cast<T>(load<T>(at) | static_cast<T>(race)));
            race = 0;
        }
        if (load<T>(at) != expected) return false;
        store(at, desired);
        return true;
    }

    std::uint32_t low_pages_;
    std::uint32_t ram_pages_;
    std::vector<std::uint8_t> bytes_;
};

} // namespace ringone::mmu::test
