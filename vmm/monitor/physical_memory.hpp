// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "shadow-mmu/hardware.hpp"
#include "shadow-mmu/types.hpp"
#include "vmm/monitor/world.hpp"

#include <cstdint>
#include <cstring>
#include <optional>

namespace ringone::vmm {

/// Guest-physical memory as page walks see it (mmu::PhysicalMemory): RAM from 0 on, ones above.
class PhysicalRam {
public:
    explicit PhysicalRam(World& world)
        : bytes_(world.ram()), size_(std::uint64_t{world.ram_pages()} << mmu::kPageShift) {}

    [[nodiscard]] std::uint32_t read32(mmu::GuestPhysical at) const { return load<std::uint32_t>(at); }
    [[nodiscard]] std::uint64_t read64(mmu::GuestPhysical at) const { return load<std::uint64_t>(at); }
    [[nodiscard]] bool compare_exchange32(mmu::GuestPhysical at, std::uint32_t expected, std::uint32_t desired) {
        return exchange(at, expected, desired);
    }
    [[nodiscard]] bool compare_exchange64(mmu::GuestPhysical at, std::uint64_t expected, std::uint64_t desired) {
        return exchange(at, expected, desired);
    }
    [[nodiscard]] std::optional<mmu::RamPage> ram_page(mmu::GuestPhysical at) const {
        if (at.address >= size_) return {};
        return mmu::RamPage{static_cast<std::uint32_t>(at.address >> mmu::kPageShift)};
    }
    [[nodiscard]] std::uint8_t* bytes(mmu::GuestPhysical at) const { return bytes_ + at.address; }

private:
    template <typename T>
    [[nodiscard]] T load(mmu::GuestPhysical at) const {
        if (at.address >= size_) return static_cast<T>(~T{0});
        T value;
        std::memcpy(&value, bytes_ + at.address, sizeof value);
        return value;
    }
    template <typename T>
    [[nodiscard]] bool exchange(mmu::GuestPhysical at, T expected, T desired) {
        if (at.address >= size_) return true;
        return __atomic_compare_exchange_n(reinterpret_cast<T*>(bytes_ + at.address), &expected, desired, false,
                                           __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    }

    std::uint8_t* bytes_;
    std::uint64_t size_;
};

/// The shadow MMU's hardware (mmu::Hardware) where all guest spaces share the world's one linear space.
class WorldMappings {
public:
    static constexpr std::uint32_t kLinearSpaces = 1;
    static constexpr bool kEnforcesUser = false;
    static constexpr bool kEnforcesExecute = false;

    explicit WorldMappings(World& world) : world_(world) {}

    [[nodiscard]] bool map(mmu::HardwareSpace, mmu::LinearRun run, mmu::RamPage ram, mmu::Protection protection) {
        return world_.map(run.first.number, ram.number, run.pages, rights(protection));
    }
    [[nodiscard]] bool unmap(mmu::HardwareSpace, mmu::LinearRun run) { return world_.unmap(run.first.number, run.pages); }
    [[nodiscard]] bool protect(mmu::HardwareSpace, mmu::LinearRun run, mmu::Protection protection) {
        return world_.protect(run.first.number, run.pages, rights(protection));
    }
    void activate(mmu::HardwareSpace) {}

private:
    static Protection rights(mmu::Protection p) { return p.write ? Protection::read_write : Protection::read; }

    World& world_;
};

} // namespace ringone::vmm
