// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "tests/unit/shadow-mmu/oracle.hpp"
#include "tests/unit/shadow-mmu/recording_hardware.hpp"

#include <cstdint>
#include <vector>

namespace ringone::mmu::test {

/// Every translation that a TLB as large and as eager as can be might hold of some linear pages: all that the
/// guest's tables gave at any moment since the entry was last flushed (SDM Vol. 3 section 4.10).
class TlbModel {
public:
    static constexpr std::uint32_t kAreaPages = 512;

    /// Watches areas of 2 MiB, by number.
    TlbModel(const FakeMemory& memory, const Machine& machine, std::vector<std::uint32_t> areas);

    /// Entries at these guest-physical addresses have changed.
    void tables_changed(const std::vector<std::uint64_t>& addresses);
    /// INVLPG, or a page fault at the page.
    void flush_page(std::uint32_t page);
    void flush(bool global_too);

    /// May the hardware map the page so? RAM and rights must come from one and the same entry.
    [[nodiscard]] bool allows(std::uint32_t page, const HardwarePage& mapped, bool user_must_be_allowed,
                              bool enforces_user, bool enforces_execute) const;
    [[nodiscard]] bool watches(std::uint32_t page) const { return slot_[page / kAreaPages] != kNotWatched; }

    /// Pages that lost entries since the last clear.
    std::vector<std::uint32_t> shrunk;

private:
    struct Entry {
        std::uint64_t physical;
        bool writable, user, executable, dirty, global, large;
        friend bool operator==(const Entry&, const Entry&) = default;
    };
    static constexpr std::uint32_t kNotWatched = 0xFFFFFFFF;

    [[nodiscard]] std::vector<Entry>& entries(std::uint32_t page) {
        return entries_[slot_[page / kAreaPages] * kAreaPages + page % kAreaPages];
    }
    [[nodiscard]] const std::vector<Entry>& entries(std::uint32_t page) const {
        return entries_[slot_[page / kAreaPages] * kAreaPages + page % kAreaPages];
    }
    void note(std::uint32_t page);
    void note_area(std::uint32_t area);

    const FakeMemory& memory_;
    const Machine& machine_;
    std::vector<std::uint32_t> areas_;
    std::vector<std::uint32_t> slot_; ///< by area: where its entries are
    std::vector<std::vector<Entry>> entries_;
};

} // namespace ringone::mmu::test
