// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "shadow-mmu/hardware.hpp"

#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

namespace ringone::mmu::test {

/// What one linear page of a hardware space is mapped to.
struct HardwarePage {
    static constexpr std::uint32_t kNone = 0xFFFFFFFF;
    std::uint32_t ram = kNone;
    Protection protection{};
    [[nodiscard]] bool mapped() const { return ram != kNone; }
    friend bool operator==(const HardwarePage&, const HardwarePage&) = default;
};

struct HardwareCalls {
    std::uint64_t map = 0, unmap = 0, protect = 0, activate = 0;
};

/// Hardware that does as told, notes which pages changed, and complains of calls that break the contract.
template <std::uint32_t Spaces, bool EnforcesUser, bool EnforcesExecute>
class RecordingHardware {
public:
    static constexpr std::uint32_t kLinearSpaces = Spaces;
    static constexpr bool kEnforcesUser = EnforcesUser;
    static constexpr bool kEnforcesExecute = EnforcesExecute;

    RecordingHardware(std::uint32_t linear_limit, std::uint32_t ram_pages)
        : linear_limit_(linear_limit), ram_pages_(ram_pages) {
        for (std::uint32_t i = 0; i < Spaces; ++i) {
            pages_[i].resize(linear_limit);
            mapped_[i].resize(linear_limit / kAreaPages + 1);
        }
    }

    [[nodiscard]] bool map(HardwareSpace space, LinearRun run, RamPage ram, Protection protection) {
        ++calls.map;
        expect(space.number == active_, "map in a space that is not active");
        expect(run.pages != 0 && run.first.number + run.pages <= linear_limit_, "map beyond the limit");
        expect(ram.number + run.pages <= ram_pages_, "map beyond RAM");
        expect(EnforcesUser || !protection.user, "user without enforcement");
        expect(EnforcesExecute || !protection.execute, "execute without enforcement");
        if (refuses(space)) return false;
        for (std::uint32_t i = 0; i < run.pages; ++i) set(space.number, run.first.number + i, {ram.number + i, protection});
        return true;
    }

    [[nodiscard]] bool unmap(HardwareSpace space, LinearRun run) {
        ++calls.unmap;
        expect(run.pages != 0 && run.first.number + run.pages <= linear_limit_, "unmap beyond the limit");
        const bool everything = run.first.number == 0 && run.pages == linear_limit_;
        const bool refused = !everything && refuses(space);
        if (refused) run.pages /= 2; // the host may have begun
        for (std::uint32_t i = 0; i < Spaces; ++i) {
            if (space != kEverySpace && space.number != i) continue;
            const std::uint32_t end = run.first.number + run.pages;
            for (std::uint32_t page = run.first.number; page < end; ++page) {
                if (mapped_[i][page / kAreaPages] == 0) page |= kAreaPages - 1; // none in this area
                else set(i, page, {});
            }
        }
        return !refused;
    }

    [[nodiscard]] bool protect(HardwareSpace space, LinearRun run, Protection protection) {
        ++calls.protect;
        expect(run.pages != 0 && run.first.number + run.pages <= linear_limit_, "protect beyond the limit");
        expect(space != kEverySpace, "protect of every space: what other spaces have there is another page");
        if (space == kEverySpace) return false;
        const bool refused = refuses(space);
        if (refused) run.pages /= 2;
        for (std::uint32_t page = run.first.number; page < run.first.number + run.pages; ++page) {
            const HardwarePage old = pages_[space.number][page];
            expect(Spaces > 1 || old.mapped(), "protect of a page that is not mapped");
            if (old.mapped()) set(space.number, page, {old.ram, protection});
        }
        return !refused;
    }

    void activate(HardwareSpace space) {
        ++calls.activate;
        expect(Spaces > 1, "activate with one space");
        expect(space.number < Spaces, "activate of a space that is not there");
        active_ = space.number;
        stale.clear(); // a load of CR3
    }

    [[nodiscard]] const HardwarePage& page(std::uint32_t number) const { return pages_[active_][number]; }
    [[nodiscard]] const std::vector<HardwarePage>& space(std::uint32_t number) const { return pages_[number]; }
    [[nodiscard]] std::uint32_t active() const { return active_; }

    /// Does the hardware allow the access?
    [[nodiscard]] bool allows(std::uint32_t number, Access access) const {
        if (number >= linear_limit_ || !page(number).mapped()) return false;
        const Protection& p = page(number).protection;
        return (access.type != AccessType::write || p.write) && (!EnforcesUser || !access.user || p.user) &&
               (!EnforcesExecute || access.type != AccessType::fetch || p.execute);
    }

    /// Mapped runs as a host counts them.
    [[nodiscard]] std::uint32_t runs(std::uint32_t space) const { return runs_[space]; }

    HardwareCalls calls;
    std::uint32_t fail_one_in = 0; ///< updates fail so often at random; 0: never
    std::uint32_t run_limit = 0;   ///< updates fail with so many runs there; 0: no limit
    std::vector<std::uint32_t> changed; ///< pages of the active space, since the last clear
    std::vector<std::uint32_t> stale;   ///< of these, those that the CPU's own TLB may know otherwise
    std::string complaint;              ///< the first breach of the contract

private:
    static constexpr std::uint32_t kAreaPages = 512;

    [[nodiscard]] bool refuses(HardwareSpace space) {
        if (fail_one_in != 0 && next_random() % fail_one_in == 0) return true;
        return run_limit != 0 && space != kEverySpace && runs(space.number) >= run_limit;
    }
    void set(std::uint32_t space, std::uint32_t number, HardwarePage to) {
        HardwarePage& page = pages_[space][number];
        if (page == to) return;
        const bool wider = page.ram == to.ram && page.protection.write <= to.protection.write &&
                           page.protection.user <= to.protection.user && page.protection.execute <= to.protection.execute;
        const std::uint32_t before = run_starts(space, number);
        if (space == active_) {
            changed.push_back(number);
            if (page.mapped() && !wider) stale.push_back(number);
        }
        mapped_[space][number / kAreaPages] += to.mapped() ? 1U : 0U;
        mapped_[space][number / kAreaPages] -= page.mapped() ? 1U : 0U;
        page = to;
        runs_[space] += run_starts(space, number);
        runs_[space] -= before;
    }
    /// How many of the page and the next one begin a run.
    [[nodiscard]] std::uint32_t run_starts(std::uint32_t space, std::uint32_t number) const {
        std::uint32_t count = begins_run(space, number) ? 1 : 0;
        if (number + 1 < linear_limit_ && begins_run(space, number + 1)) ++count;
        return count;
    }
    [[nodiscard]] bool begins_run(std::uint32_t space, std::uint32_t number) const {
        const HardwarePage& page = pages_[space][number];
        if (!page.mapped() || number == 0) return page.mapped();
        const HardwarePage& before = pages_[space][number - 1];
        return !before.mapped() || before.ram + 1 != page.ram || before.protection != page.protection;
    }
    void expect(bool holds, const char* what) {
        if (!holds && complaint.empty()) complaint = what;
    }
    std::uint32_t next_random() {
        random_ = random_ * 6364136223846793005ULL + 1442695040888963407ULL;
        return static_cast<std::uint32_t>(random_ >> 33);
    }

    std::uint32_t linear_limit_;
    std::uint32_t ram_pages_;
    std::array<std::vector<HardwarePage>, Spaces> pages_;
    std::array<std::vector<std::uint32_t>, Spaces> mapped_; ///< how many pages of each area are
    std::array<std::uint32_t, Spaces> runs_{};
    std::uint32_t active_ = 0;
    std::uint64_t random_ = 1;
};

/// As the process world is.
using SingleSpace = RecordingHardware<1, false, false>;
/// As page tables of our own are.
using ManySpaces = RecordingHardware<4, true, true>;

} // namespace ringone::mmu::test
