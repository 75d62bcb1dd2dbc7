// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
//
// The shadow MMU: guest page tables on one side, the hardware's mappings on the other. What is mapped is always what
// some TLB could hold: filled on demand, dropped at INVLPG, CR3 loads and changes of mode.
#pragma once

#include "shadow-mmu/guest_walk.hpp"
#include "shadow-mmu/hardware.hpp"
#include "shadow-mmu/shadow_config.hpp"
#include "shadow-mmu/shadow_store.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace ringone::mmu {

/// What became of an access that the hardware refused.
struct FaultResult {
    enum class Kind : std::uint8_t {
        mapped,        ///< the page is mapped for this access: retry the instruction
        guest_fault,   ///< #PF for the guest, with error_code and the address as CR2
        mmio,          ///< allowed; `physical` is not RAM: emulate
        write_trapped, ///< allowed; the page is traced for the reasons in `traces`: emulate the write, or unprotect
        emulate,       ///< allowed, but cannot be mapped so (monitor zone, above user_limit, WP clear): emulate
    };
    Kind kind = Kind::mapped;
    std::uint32_t error_code = 0;
    GuestPhysical physical; ///< of the byte accessed; not with guest_fault
    std::uint8_t traces = 0; ///< bits of Trace
};

/// What a load of control registers invalidates beyond what a change of mode does by itself.
struct ControlChange {
    bool flush_global = false; ///< global translations too (CR4 writes); else those of a CR3 load
    bool load_pdptes = false;  ///< read the four PDPTEs anew, where PAE paging is on (SDM Vol. 3 section 4.4.1)
};

/// One virtual CPU's shadow MMU. Not for CR4.SMAP: the page tables are the same whatever EFLAGS.AC is.
template <PhysicalMemory Memory, Hardware Backend>
class ShadowMmu {
public:
    /// Bytes that the arena needs, aligned as std::max_align_t.
    [[nodiscard]] static std::size_t arena_bytes(const ShadowConfig& config);

    /// Starts with paging off, all unmapped, and supervisor privilege.
    ShadowMmu(const ShadowConfig& config, Memory& memory, Backend& hardware, std::span<std::byte> arena);
    ShadowMmu(const ShadowMmu&) = delete;
    ShadowMmu& operator=(const ShadowMmu&) = delete;

    /// Tells what an access that trapped comes to, and maps what it needs (and neighbours). After `mapped` the
    /// hardware allows the access.
    [[nodiscard]] FaultResult on_fault(GuestVirtual linear, Access access);

    /// Translates one access that the monitor makes for the guest; sets A and D. Maps nothing, looks at no trace.
    [[nodiscard]] Walk translate(GuestVirtual linear, Access access) { return walk(memory_, context_, linear, access); }
    /// Maps the page ahead of its next access if the guest's tables have it accessed already: for the return from an
    /// injected #PF. Sets neither A nor D. False when it mapped nothing.
    bool prefill(GuestVirtual linear);

    /// Mov to CR0, CR3, CR4, WRMSR EFER and task switches. False: a PDPTE has reserved bits set, the instruction is
    /// a #GP(0) and nothing has changed.
    [[nodiscard]] bool load_control(const ControlRegisters& next, ControlChange change);
    void invlpg(GuestVirtual linear);
    /// Drops everything: all spaces, global pages too.
    void drop_all();

    /// The guest runs at CPL 3 from now on, or not. Supervisor pages below user_limit are not mapped at CPL 3; above
    /// it they may be: the limits of the segments that user code can load end there. O(1) where there are none below.
    void set_privilege(bool user);
    void set_user_limit(LinearPage limit);
    /// The lowest supervisor page of the current space that was ever filled and not dropped; linear_limit if none.
    [[nodiscard]] LinearPage lowest_supervisor_page();
    /// Mapped supervisor pages that user mode could reach: 0 means that changes of privilege cost nothing.
    [[nodiscard]] std::uint32_t exposed_pages() const { return store_.exposed_pages(); }

    /// Makes all mappings of the page read-only, those to come as well. True when it was not traced for the reason.
    bool protect_page(RamPage ram, Trace reason);
    /// The next write fault makes it writable, when no other reason is left.
    void unprotect_page(RamPage ram, Trace reason);
    [[nodiscard]] std::uint8_t traces(RamPage ram) const { return store_.traces(ram); }

    /// The flush owed since the last call; to be made before the guest runs on.
    [[nodiscard]] Flush take_flush();

    [[nodiscard]] const ShadowCounters& counters() const { return counters_; }
    [[nodiscard]] const PagingContext& context() const { return context_; }

private:
    static constexpr bool kSingleSpace = Backend::kLinearSpaces == 1;
    static constexpr std::uint32_t kRunsOfOneUpdate = 2; ///< at most so many more runs by one map, protect or unmap

    /// Pages of one layer to be unmapped, ascending, joined over holes where nothing else is mapped.
    class Sweep {
    public:
        Sweep(ShadowMmu& mmu, SpaceId space, SpaceId neighbour)
            : mmu_(mmu), space_(space), neighbour_(neighbour) {}
        Sweep(ShadowMmu& mmu, SpaceId space) : Sweep(mmu, space, mmu.current_) {}
        Sweep(const Sweep&) = delete;
        Sweep& operator=(const Sweep&) = delete;
        ~Sweep() { finish(); }
        /// The page was live and is so no more.
        void add(LinearPage page);
        void finish();

    private:
        ShadowMmu& mmu_;
        SpaceId space_;
        SpaceId neighbour_; ///< the space that, with the global one, may have pages mapped in the holes
        LinearRun run_{};
    };

    /// Pages of one space to be mapped: contiguous RAM, one protection.
    struct MapRun {
        LinearRun linear{};
        RamPage ram;
        Protection protection{};
        bool live = false; ///< mapped already, with another protection

        [[nodiscard]] std::uint32_t end() const { return linear.first.number + linear.pages; }
        [[nodiscard]] bool joins(const MapRun& next) const {
            return linear.pages != 0 && next.linear.first.number == end() &&
                   next.ram.number == ram.number + linear.pages && next.protection == protection && next.live == live;
        }
    };

    /// What a single linear space has at a page.
    struct LivePage {
        RamPage ram;
        bool writable = false;
        [[nodiscard]] bool joins(const LivePage& above) const {
            return ram.number + 1 == above.ram.number && writable == above.writable;
        }
    };

    // shadow_mmu_fill.hpp
    [[nodiscard]] bool mappable(LinearPage page, Access access, const Translation& translation) const;
    [[nodiscard]] bool fill(LinearPage page, const Translation& translation, RamPage ram);
    [[nodiscard]] bool fill_small(SpaceId space, LinearPage page, const Translation& translation, RamPage ram);
    [[nodiscard]] bool fill_large(SpaceId space, LinearPage page, const Translation& translation, RamPage ram);
    [[nodiscard]] std::optional<ShadowEntry> extension(const Region& region, const Translation& first, LinearPage from,
                                                       RamPage ram, LinearPage to);
    [[nodiscard]] bool filled(const Region& region, std::uint32_t slot, ShadowEntry entry) const;
    [[nodiscard]] std::optional<Translation> large_at(std::uint32_t index);
    [[nodiscard]] bool large_neighbour(SpaceId space, const Translation& first, LinearPage from, std::uint32_t index);
    void set_large(Region& region, const Translation& translation);
    [[nodiscard]] Region* prepare_region(SpaceId space, std::uint32_t index, const Translation& translation, bool evict);
    void put(Region& region, std::uint32_t slot, ShadowEntry entry);
    [[nodiscard]] std::optional<MapRun> needed(SpaceId space, LinearPage page);
    [[nodiscard]] bool emit(SpaceId space, LinearPage first, LinearPage last, LinearPage page);
    void emit_optional(SpaceId space, LinearPage first, std::uint32_t end);
    [[nodiscard]] bool map_run(SpaceId space, MapRun run, bool must);
    void record_run(LinearPage page);
    void record_fill(SpaceId space, LinearPage page);
    [[nodiscard]] Protection allowed(ShadowEntry entry) const;
    [[nodiscard]] static bool alike(std::uint32_t flags, std::uint32_t others);
    [[nodiscard]] bool visible(ShadowEntry entry, LinearPage page) const;

    // shadow_mmu_switch.hpp
    [[nodiscard]] SpaceId acquire_space(SpaceKey key);
    void revalidate(SpaceId space);
    void revalidate_region(Region& region, Sweep& sweep);
    [[nodiscard]] bool agrees(const Region& region, ShadowEntry entry, LinearPage page, std::uint64_t directory_entry);
    void switch_to(SpaceId next);
    void hand_over(Region& from, SpaceId to, Sweep& sweep);
    [[nodiscard]] static bool covers(const Region& region, const Region& other);
    void adopt(const Region& from, SpaceId to);
    void map_recent(SpaceId space);
    void hide_supervisor_pages(SpaceId space);

    // shadow_mmu_evict.hpp
    void drop_page(Region& region, std::uint32_t slot, Sweep& sweep);
    void drop_region(Region& region, Sweep& sweep);
    void drop_space(SpaceId space);
    void drop_if_present(SpaceId space, LinearPage page);
    void drop_translation(LinearPage page);
    [[nodiscard]] bool evict_region(SpaceId keep);
    [[nodiscard]] bool has_room() const;
    void make_room();
    void evict_oldest_run();
    void unmap_everything();
    [[nodiscard]] std::uint32_t count_runs();
    [[nodiscard]] std::optional<LivePage> live_page(LinearPage page);
    [[nodiscard]] bool any_live(SpaceId space, LinearPage first, LinearPage last);

    [[nodiscard]] HardwareSpace hardware_space(SpaceId space) const;
    void unmap(SpaceId space, LinearRun run);
    void owe(SpaceId space, LinearRun run);

    ShadowConfig config_;
    Memory& memory_;
    Backend& hardware_;
    ShadowStore store_;
    PagingContext context_;
    Pdptes pdptes_{};
    SpaceId current_ = 0;
    bool user_view_ = false;
    std::uint64_t switches_ = 0;
    std::uint32_t run_bound_ = 0; ///< the mapped runs of a single linear space are no more than this, nor this
                                  ///< more than max_runs
    std::uint32_t* fill_ring_ = nullptr; ///< a linear page of each run mapped, oldest first
    std::uint32_t fill_first_ = 0;
    std::uint32_t fill_count_ = 0;
    Flush owed_{};
    ShadowCounters counters_{};
};

} // namespace ringone::mmu

#include "shadow-mmu/shadow_mmu_control.hpp"
#include "shadow-mmu/shadow_mmu_evict.hpp"
#include "shadow-mmu/shadow_mmu_fill.hpp"
#include "shadow-mmu/shadow_mmu_switch.hpp"
