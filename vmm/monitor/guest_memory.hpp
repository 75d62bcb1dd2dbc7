// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "shadow-mmu/shadow_mmu.hpp"
#include "translator/cache.hpp"
#include "vmm/monitor/breakpoints.hpp"
#include "vmm/monitor/host_services.hpp"
#include "vmm/monitor/memory_access.hpp"
#include "vmm/monitor/memory_switches.hpp"
#include "vmm/monitor/physical_memory.hpp"
#include "vmm/monitor/system/hooks.hpp"
#include "vmm/monitor/world.hpp"

#include <cstdint>
#include <cstring>
#include <optional>

namespace ringone::vmm {

struct MemoryCounters {
    std::uint64_t pages_traced, pages_released, code_writes, data_writes_on_code_pages, mmio_accesses;
};

/// A page that code can be fetched from.
struct CodePage {
    static constexpr std::uint32_t kNotRam = 0xFFFFFFFE; ///< nothing drives the bus there: fetches read ones

    std::uint32_t page = 0; ///< guest-physical page number, or kNotRam
    bool global = false;    ///< CR3 loads leave the translation alone
};

/// Guest memory through the guest's page tables and the shadow MMU. Pages that hold translated code are read-only to
/// the guest (traced), so that a write to them comes here.
class GuestMemory final : public LinearMemory {
public:
    using Mmu = mmu::ShadowMmu<PhysicalRam, WorldMappings>;

    /// Bytes of memory the constructor needs for `ram_pages`.
    [[nodiscard]] static std::size_t metadata_bytes(std::uint32_t ram_pages);

    GuestMemory(World& world, HostServices& services, translator::TranslationCache& cache, Breakpoints& breakpoints,
                std::span<std::byte> metadata, const MemorySwitches& switches);

    [[nodiscard]] MaybeFault read(std::uint32_t linear, std::span<std::byte> to, AccessPrivilege privilege) override;
    [[nodiscard]] MaybeFault write(std::uint32_t linear, std::span<const std::byte> from,
                                   AccessPrivilege privilege) override;
    [[nodiscard]] MaybeFault probe(std::uint32_t linear, std::uint32_t bytes, AccessType type,
                                   AccessPrivilege privilege) override;
    [[nodiscard]] bool stop_repeating() const override { return breakpoints_.hits() != 0; }

    /// What an access of the guest's that the hardware refused comes to; maps what it needs.
    [[nodiscard]] mmu::FaultResult on_fault(std::uint32_t linear, AccessType type, AccessPrivilege privilege) {
        forget_reads(); // a fault drops what a TLB has for its page
        return mmu_.on_fault({linear}, access(type, privilege));
    }
    /// Maps the page of an injected #PF, if the guest has mapped it by now.
    void prefill(std::uint32_t linear) { (void)mmu_.prefill({linear}); }
    /// See SystemHooks::on_paging_change().
    [[nodiscard]] bool load_control(const VCpu& next, PagingChange change);
    void invlpg(std::uint32_t linear) {
        forget_reads();
        mmu_.invlpg({linear});
        if (linear / 4096 == table_linear_) check_table();
    }
    /// The guest runs at CPL 3 (or in virtual-8086 mode) from now on, or not.
    void set_user(bool user);
    /// May the guest's kernel return to its user mode without set_user() at once?
    [[nodiscard]] bool user_ready() const {
        return user_limit_ != world_.zone().guest_limit && mmu_.exposed_pages() == 0;
    }
    /// First linear address that user segments must not reach.
    [[nodiscard]] std::uint32_t user_limit() const { return user_limit_; }

    /// Walks for a fetch (sets A). A fault: the guest's #PF.
    [[nodiscard]] MaybeFault fetch_page(std::uint32_t linear_page, AccessPrivilege privilege, CodePage& page);
    /// What a fetch could use without any walk that sets bits: nothing where a TLB could hold no translation.
    [[nodiscard]] std::optional<CodePage> peek_code(std::uint32_t linear_page, AccessPrivilege privilege);
    /// Copies from a code page, at most to its end. Returns how many bytes.
    std::uint32_t copy_code(const CodePage& page, std::uint32_t offset, std::span<std::uint8_t> to) const;
    /// From now on writes to the page are seen.
    void trace_code(std::uint32_t page);
    /// Sees to it that take_table_change() tells of writes to a page of descriptors, and of another page coming to lie
    /// there. One page at a time. False: it is no RAM.
    [[nodiscard]] bool watch_table(std::uint32_t linear_page);
    [[nodiscard]] bool take_table_change() {
        const bool changed = table_changed_;
        table_changed_ = false;
        return changed;
    }

    [[nodiscard]] const MemoryCounters& counters() const { return counters_; }
    [[nodiscard]] const mmu::ShadowCounters& shadow_counters() const { return mmu_.counters(); }

private:
    /// Writes that miss all code before the page is given back to its data (its fragments die and are made again
    /// when they next run): each costs a trap, a retranslation costs about as much as a few.
    static constexpr std::uint8_t kDataWritesBeforeRelease = 16;
    /// A kernel that gives user programs less than this has some other layout: segments do not tell it apart.
    static constexpr std::uint32_t kLeastUserLimit = 0x40000000;

    [[nodiscard]] static mmu::ShadowConfig config(std::uint32_t ram_pages, std::uint32_t guest_limit,
                                                  const MemorySwitches& switches);
    [[nodiscard]] static mmu::Access access(AccessType type, AccessPrivilege privilege);
    [[nodiscard]] MaybeFault translate(std::uint32_t linear, AccessType type, AccessPrivilege privilege,
                                       mmu::GuestPhysical& physical);
    [[nodiscard]] MaybeFault translate_others(std::uint32_t linear, std::size_t bytes, AccessType type,
                                              AccessPrivilege privilege);
    void read_physical(mmu::GuestPhysical at, std::span<std::byte> to);
    void write_physical(mmu::GuestPhysical at, std::span<const std::byte> from);
    void write_ram(mmu::GuestPhysical at, std::span<const std::byte> from);
    void release(std::uint32_t page);
    void check_table();
    [[nodiscard]] std::uint32_t ram_page_at(std::uint32_t linear_page);

    /// Translations for reads that the monitor has made for the guest, as a TLB keeps them: descriptors and stacks are
    /// read again and again.
    struct KnownRead {
        std::uint32_t tag; ///< linear page and privilege, plus 1; 0: none
        const std::uint8_t* bytes;
    };
    static constexpr std::uint32_t kKnownReads = 32;
    static constexpr std::uint32_t kNoPage = 0xFFFFFFFF;

    [[nodiscard]] static std::uint32_t read_tag(std::uint32_t linear, AccessPrivilege privilege) {
        return (linear >> 12U) * 2 + (privilege == AccessPrivilege::user ? 1 : 0) + 1;
    }
    void forget_reads() {
        if (reads_known_) std::memset(known_reads_, 0, sizeof known_reads_);
        reads_known_ = false;
    }

    World& world_;
    HostServices& services_;
    translator::TranslationCache& cache_;
    Breakpoints& breakpoints_;
    PhysicalRam ram_;
    WorldMappings mappings_;
    std::uint8_t* data_writes_; ///< a byte a RAM page: writes that missed its code
    Mmu mmu_;
    std::uint32_t user_limit_;
    bool user_ = false;
    bool reads_known_ = false;
    std::uint32_t table_linear_ = kNoPage; ///< where the watched descriptors lie
    std::uint32_t table_page_ = kNoPage;   ///< the RAM page there
    bool table_changed_ = false;
    KnownRead known_reads_[kKnownReads]{};
    MemoryCounters counters_{};
};

} // namespace ringone::vmm
