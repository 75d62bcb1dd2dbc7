// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "translator/cache.hpp"
#include "translator/plan.hpp"
#include "vmm/monitor/host_services.hpp"
#include "vmm/monitor/memory_access.hpp"
#include "vmm/monitor/world.hpp"

namespace ringone::vmm {

struct MemoryCounters {
    std::uint64_t pages_traced, pages_released, code_writes, data_writes_on_code_pages, mmio_accesses;
};

/// Guest memory with paging off: guest-linear is guest-physical; RAM below ram_pages(), MMIO above it. Pages that
/// hold translated code are read-only to the guest (traced), so that a write to them comes here.
class GuestMemory final : public LinearMemory, public translator::CodeSource {
public:
    /// Bytes of memory the constructor needs for `ram_pages`.
    [[nodiscard]] static std::size_t metadata_bytes(std::uint32_t ram_pages) { return ram_pages; }

    GuestMemory(World& world, HostServices& services, translator::TranslationCache& cache,
                std::span<std::byte> metadata);

    [[nodiscard]] bool map_all();

    [[nodiscard]] MaybeFault read(std::uint32_t linear, std::span<std::byte> to, AccessPrivilege privilege) override;
    [[nodiscard]] MaybeFault write(std::uint32_t linear, std::span<const std::byte> from,
                                   AccessPrivilege privilege) override;
    [[nodiscard]] MaybeFault probe(std::uint32_t linear, std::uint32_t bytes, AccessType type,
                                   AccessPrivilege privilege) override;

    [[nodiscard]] std::uint32_t fetch(std::uint32_t linear, std::span<std::uint8_t> to) override;
    [[nodiscard]] std::uint32_t physical_page(std::uint32_t linear) override;

    [[nodiscard]] const MemoryCounters& counters() const { return counters_; }

private:
    /// Writes that miss all code before the page is given back to its data (its fragments die and are made again
    /// when they next run): each costs a trap, a retranslation costs about as much as a few.
    static constexpr std::uint8_t kDataWritesBeforeRelease = 16;
    static constexpr std::uint8_t kTraced = 0x80;

    void write_ram(std::uint32_t physical, std::span<const std::byte> from);
    void release(std::uint32_t page);

    World& world_;
    HostServices& services_;
    translator::TranslationCache& cache_;
    std::uint8_t* traces_; ///< a byte a RAM page: kTraced, and the count of data writes
    MemoryCounters counters_{};
};

} // namespace ringone::vmm
