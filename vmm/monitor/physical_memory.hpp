// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "shadow-mmu/hardware.hpp"
#include "shadow-mmu/types.hpp"
#include "vmm/monitor/breakpoints.hpp"
#include "vmm/monitor/world.hpp"

#include <algorithm>
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

/// The shadow MMU's hardware (mmu::Hardware) where all guest spaces share the world's one linear space. Pages with data
/// breakpoints are mapped with less than the shadow MMU thinks.
class WorldMappings {
public:
    static constexpr std::uint32_t kLinearSpaces = 1;
    static constexpr bool kEnforcesUser = false;
    static constexpr bool kEnforcesExecute = false;
    /// Runs of the world's that the shadow MMU must not use: a page with a breakpoint makes one run three.
    static constexpr std::uint32_t kSpareRuns = 2 * Breakpoints::kPoints;

    WorldMappings(World& world, const Breakpoints& breakpoints) : world_(world), breakpoints_(breakpoints) {}

    [[nodiscard]] bool map(mmu::HardwareSpace, mmu::LinearRun run, mmu::RamPage ram, mmu::Protection protection) {
        const bool done = for_each_piece(run, rights(protection), [&](std::uint32_t first, std::uint32_t pages, Protection p) {
            return world_.map(first, ram.number + (first - run.first.number), pages, p);
        });
        if (!done) (void)world_.unmap(run.first.number, run.pages); // there is room for what remains: kSpareRuns
        return done;
    }
    [[nodiscard]] bool unmap(mmu::HardwareSpace, mmu::LinearRun run) { return world_.unmap(run.first.number, run.pages); }
    [[nodiscard]] bool protect(mmu::HardwareSpace, mmu::LinearRun run, mmu::Protection protection) {
        return for_each_piece(run, rights(protection), [&](std::uint32_t first, std::uint32_t pages, Protection p) {
            return world_.protect(first, pages, p);
        });
    }
    void activate(mmu::HardwareSpace) {}

private:
    static Protection rights(mmu::Protection p) { return p.write ? Protection::read_write : Protection::read; }

    [[nodiscard]] Protection allowed(std::uint32_t page) const {
        if (breakpoints_.watches(page, AccessType::read)) return Protection::none;
        return breakpoints_.watches(page, AccessType::write) ? Protection::read : Protection::read_write;
    }
    /// Calls each(first page, pages, protection) for parts of the run until one returns false.
    template <typename Each>
    [[nodiscard]] bool for_each_piece(mmu::LinearRun run, Protection protection, Each each) const {
        const std::uint32_t end = run.first.number + run.pages;
        for (std::uint32_t at = run.first.number; at < end;) {
            const std::uint32_t watched = breakpoints_.next_watched_page(at, end);
            if (watched != at && !each(at, watched - at, protection)) return false;
            if (watched != end && !each(watched, 1U, std::min(protection, allowed(watched)))) return false;
            at = watched == end ? end : watched + 1;
        }
        return true;
    }

    World& world_;
    const Breakpoints& breakpoints_;
};

} // namespace ringone::vmm
