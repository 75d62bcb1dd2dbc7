// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "tests/unit/shadow-mmu/tlb_model.hpp"

#include <algorithm>
#include <utility>

namespace ringone::mmu::test {
namespace {

bool pae(const Machine& m) { return (m.cr4 & cr4::kPae) != 0; }
bool paging(const Machine& m) { return (m.cr0 & cr0::kPg) != 0; }

} // namespace

TlbModel::TlbModel(const FakeMemory& memory, const Machine& machine, std::vector<std::uint32_t> areas)
    : memory_(memory), machine_(machine), areas_(std::move(areas)), slot_(kLinearPages / kAreaPages, kNotWatched),
      entries_(areas_.size() * kAreaPages) {
    for (std::uint32_t i = 0; i < areas_.size(); ++i) slot_[areas_[i]] = i;
    flush(true);
}

void TlbModel::note(std::uint32_t page) {
    const OraclePage now = oracle_page(memory_, machine_, page << kPageShift);
    if (!now.valid || !now.accessed) return; // what is not accessed yet is not cached
    const bool global = now.global && (machine_.cr4 & cr4::kPge) != 0;
    const Entry entry{now.physical, now.writable, now.user, now.executable, now.dirty, global, now.large};
    std::vector<Entry>& all = entries(page);
    if (std::find(all.begin(), all.end(), entry) == all.end()) all.push_back(entry);
}

void TlbModel::note_area(std::uint32_t area) {
    for (std::uint32_t i = 0; i < kAreaPages; ++i) note(area * kAreaPages + i);
}

void TlbModel::tables_changed(const std::vector<std::uint64_t>& addresses) {
    if (!paging(machine_)) return;
    const std::uint64_t bytes = pae(machine_) ? 8 : 4;
    const auto overlap = [&](std::uint64_t changed, std::uint64_t at) {
        return changed < at + bytes && at < changed + 8; // the change may have been 8 bytes wide
    };
    for (const std::uint32_t area : areas_) {
        const std::uint32_t first = area * kAreaPages;
        const std::uint64_t at = oracle_directory_entry_at(machine_, first << kPageShift);
        if (at == 0) continue;
        if (std::any_of(addresses.begin(), addresses.end(), [&](auto changed) { return overlap(changed, at); })) {
            note_area(area);
            continue;
        }
        const std::uint64_t directory = pae(machine_) ? memory_.read64({at}) : memory_.read32({at});
        const std::uint64_t table = directory & 0xF'FFFF'FFFF'F000;
        const std::uint64_t index = first & (pae(machine_) ? 0x1FFU : 0x3FFU);
        for (const std::uint64_t changed : addresses) {
            // The word before may be the lower half of the change.
            for (const std::uint64_t word : {changed, changed + 4}) {
                const std::uint64_t start = table + index * bytes;
                if (word < start || word >= start + kAreaPages * bytes) continue;
                note(first + static_cast<std::uint32_t>((word - start) / bytes));
            }
        }
    }
}

void TlbModel::flush_page(std::uint32_t page) {
    if (!watches(page)) return;
    entries(page).clear();
    note(page);
    shrunk.push_back(page);
    // Whatever came from one large page goes as a whole, be it 4 MiB or 2.
    const std::uint32_t size = pae(machine_) ? kAreaPages : 2 * kAreaPages;
    const std::uint32_t first = page / size * size;
    for (std::uint32_t other = first; other < first + size; ++other) {
        if (!watches(other)) continue;
        std::vector<Entry>& all = entries(other);
        if (std::erase_if(all, [](const Entry& entry) { return entry.large; }) == 0) continue;
        note(other);
        shrunk.push_back(other);
    }
}

void TlbModel::flush(bool global_too) {
    for (const std::uint32_t area : areas_) {
        for (std::uint32_t i = 0; i < kAreaPages; ++i) {
            const std::uint32_t page = area * kAreaPages + i;
            std::vector<Entry>& all = entries(page);
            std::erase_if(all, [&](const Entry& entry) { return global_too || !entry.global; });
            note(page);
        }
    }
}

bool TlbModel::allows(std::uint32_t page, const HardwarePage& mapped, bool user_must_be_allowed, bool enforces_user,
                      bool enforces_execute) const {
    const bool wp = (machine_.cr0 & cr0::kWp) != 0;
    const std::vector<Entry>& all = entries(page);
    return std::any_of(all.begin(), all.end(), [&](const Entry& entry) {
        const std::optional<RamPage> ram = memory_.ram_page({entry.physical});
        if (!ram || ram->number != mapped.ram) return false;
        const bool may_write = entry.dirty && (entry.writable || (!wp && !entry.user));
        return (!mapped.protection.write || may_write) && (!user_must_be_allowed || entry.user) &&
               (!enforces_user || !mapped.protection.user || entry.user) &&
               (!enforces_execute || !mapped.protection.execute || entry.executable);
    });
}

} // namespace ringone::mmu::test
