// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "translator/cache.hpp"
#include "translator/gs_area.hpp"
#include "vmm/monitor/guest_context.hpp"

#include <cstdint>

namespace ringone::vmm {

/// A hardware data segment that stands in for a guest's: truncated below the monitor zone.
struct ShadowDescriptor {
    std::uint32_t base;  ///< guest-linear
    std::uint32_t limit; ///< highest valid offset in bytes; for expand-down, the lowest invalid one
    bool writable;
    bool expand_down;
    bool big; ///< B: 32-bit stack pointer, upper bound of expand-down
    bool usable; ///< false: the null selector

    friend constexpr bool operator==(const ShadowDescriptor&, const ShadowDescriptor&) = default;
};

enum class Protection : std::uint8_t { none, read, read_write };

/// Where the monitor's parts lie, fixed for a world's life.
struct ZoneLayout {
    std::uint32_t guest_floor; ///< guest-linear addresses below cannot be mapped: accesses there fault, and are emulated
    std::uint32_t guest_limit; ///< first guest-linear address of the monitor zone
    translator::CodeMemory code;
    translator::GsArea* gs;
    std::uint32_t exit_gate; ///< run address
};

/// The host side of the monitor: everything that differs between ring 0 and an ordinary process.
class World {
public:
    [[nodiscard]] virtual const ZoneLayout& zone() const = 0;
    [[nodiscard]] virtual GuestContext& context() = 0;
    /// Runs fragments from context().ccf on until an exit. The guest's x87/SSE registers are the hardware's.
    virtual void run() = 0;
    /// A selector for the descriptor, from a cache. Those in GuestContext and GsArea stay as they are.
    [[nodiscard]] virtual std::uint16_t selector_for(const ShadowDescriptor& descriptor) = 0;
    /// Another number once a selector that selector_for() gave means another descriptor. Never 0.
    [[nodiscard]] virtual std::uint64_t selector_epoch() const = 0;
    /// Maps guest-physical pages (4 KiB, RAM) at guest-linear pages; those below ZoneLayout::guest_floor stay unmapped.
    /// False when the host has no room for it.
    [[nodiscard]] virtual bool map(std::uint32_t linear_page, std::uint32_t ram_page, std::uint32_t pages,
                                   Protection protection) = 0;
    /// False when the host has no room for what remains: each page is then unmapped or as before. Never fails for all
    /// pages below the zone.
    [[nodiscard]] virtual bool unmap(std::uint32_t linear_page, std::uint32_t pages) = 0;
    /// False when the host has no room: each page then has the old protection or the new one.
    [[nodiscard]] virtual bool protect(std::uint32_t linear_page, std::uint32_t pages, Protection protection) = 0;
    /// So many runs of pages can be mapped, whatever their places: contiguous RAM, one protection. At least 16.
    [[nodiscard]] virtual std::uint32_t max_runs() const = 0;
    /// Guest RAM as the monitor sees it.
    [[nodiscard]] virtual std::uint8_t* ram() = 0;
    [[nodiscard]] virtual std::uint32_t ram_pages() const = 0;
    /// Keeps the guest's x87/SSE registers safe while hosted code (devices) runs; end_host_call() brings them back.
    virtual void begin_host_call() = 0;
    virtual void end_host_call() = 0;

protected:
    ~World() = default;
};

} // namespace ringone::vmm
