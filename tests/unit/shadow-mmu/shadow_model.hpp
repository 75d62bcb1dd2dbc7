// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
//
// Random operations on a shadow MMU, and after each of them what must hold.
#pragma once

#include "shadow-mmu/shadow_mmu.hpp"
#include "tests/unit/shadow-mmu/guest_tables.hpp"
#include "tests/unit/shadow-mmu/tlb_model.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace ringone::mmu::test {

struct ModelSetup {
    std::uint64_t seed = 1;
    ShadowConfig config{};
    std::uint32_t fail_one_in = 0;
    std::uint32_t run_limit = 0;
    bool user_limits = true;
};

template <typename Hardware>
class ShadowModel {
public:
    using Mmu = ShadowMmu<FakeMemory, Hardware>;
    using Kind = FaultResult::Kind;

    static ShadowConfig complete(ShadowConfig config) {
        config.ram_pages = GuestTables::kLowPages + GuestTables::kHighPages;
        config.linear_limit = kLimit;
        return config;
    }

    explicit ShadowModel(const ModelSetup& setup)
        : setup_(setup), random_(setup.seed), memory_(GuestTables::kLowPages, GuestTables::kHighPages),
          hardware_(kLimit, memory_.ram_pages()), tables_(memory_, random_, areas()),
          arena_(Mmu::arena_bytes(complete(setup.config)) + alignof(std::max_align_t)),
          mmu_(complete(setup.config), memory_, hardware_, arena_), tlb_(memory_, machine_, watched_areas()),
          traces_(memory_.ram_pages()) {
        hardware_.fail_one_in = setup.fail_one_in;
        hardware_.run_limit = setup.run_limit;
        tables_.write_all(false);
        memory_.changes.clear();
    }

    /// Empty, or what did not hold.
    [[nodiscard]] std::string run(std::uint64_t operations) {
        for (done_ = 0; done_ < operations && failure_.empty(); ++done_) {
            // Most of the time in a paged mode; each mode for a while.
            if (done_ % 4096 == 1) change_mode();
            if (failure_.empty()) operate();
            check();
            if (done_ % 1024 == 0) check_everything();
        }
        if (failure_.empty()) return {};
        std::ostringstream text;
        text << "seed " << setup_.seed << ", operation " << done_ << " (" << what_ << "): " << failure_;
        return text.str();
    }

    [[nodiscard]] const ShadowCounters& counters() const { return mmu_.counters(); }
    [[nodiscard]] const Hardware& hardware() const { return hardware_; }
    /// How often each thing came up.
    std::map<std::string, std::uint64_t> seen;

private:
    static constexpr std::uint32_t kLimit = 2045 * 512 + 100; ///< inside of an area

    /// Where accesses are made.
    static std::vector<std::uint32_t> areas() { return {0, 1, 510, 511, 512, 513, 1534, 1535, 1536, 1537, 2044, 2045}; }
    /// With those that runs of large pages can come to from there: the directories of PAE serve any of the PDPTEs.
    static std::vector<std::uint32_t> watched_areas() {
        std::vector<std::uint32_t> all = areas();
        all.insert(all.end(), {508, 509, 1532, 1533});
        return all;
    }

    [[nodiscard]] std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(random_() % n); }
    [[nodiscard]] bool one_in(std::uint32_t n) { return below(n) == 0; }

    [[nodiscard]] std::uint32_t random_page() {
        static const std::vector<std::uint32_t> all = areas();
        if (one_in(4)) return tables_.page_of_last_edit();
        const std::uint32_t first = all[below(static_cast<std::uint32_t>(all.size()))] * 512;
        return first + (one_in(2) ? below(16) : below(512));
    }

    void fail(const std::string& what) {
        if (failure_.empty()) failure_ = what;
    }

    void operate() {
        const std::uint32_t dice = below(1000);
        if (dice < 480) access();
        else if (dice < 510) monitor_access();
        else if (dice < 550) prefill();
        else if (dice < 660) edit("table edit", [&] { tables_.edit_table(); });
        else if (dice < 690) edit("span edit", [&] { tables_.edit_span(); });
        else if (dice < 740) edit("bit flip", [&] { tables_.flip_bit(); });
        else if (dice < 760) edit("directory edit", [&] { tables_.edit_directory(); });
        else if (dice < 764) edit("PDPTE edit", [&] { tables_.edit_pdpte(); });
        else if (dice < 850) invlpg();
        else if (dice < 890) load_cr3();
        else if (dice < 896) change_rights();
        else if (dice < 940) trace();
        else if (dice < 990) set_privilege();
        else if (dice < 997) set_user_limit();
        else if (dice < 999) reload();
        else drop_all();
    }

    /// The guest makes an access; what the hardware allows the monitor does not see.
    void access() {
        what_ = "access";
        const auto type = static_cast<AccessType>(below(3));
        const Access a{.type = type, .user = user_view_ && !one_in(16), .smap_override = false};
        const std::uint32_t page = random_page();
        const bool behind_segments = !Hardware::kEnforcesUser && a.user && page >= user_limit_;
        if (!behind_segments && hardware_.allows(page, a)) {
            ++seen["hit"];
            return;
        }
        const std::uint32_t linear = page << kPageShift | below(kPageBytes);
        const OracleResult expected = oracle_access(memory_, machine_, linear, a);
        const FaultResult result = mmu_.on_fault({linear}, a);
        check_writes(expected);
        tables_changed();
        if (expected.fault) {
            ++seen["guest fault"];
            if (result.kind != Kind::guest_fault) return fail("no fault for the guest");
            if (result.error_code != expected.code) return fail("wrong error code");
            tlb_.flush_page(page); // SDM Vol. 3 section 4.10.4.1
            return;
        }
        check_outcome(page, linear, a, expected.page, result);
    }

    void check_outcome(std::uint32_t page, std::uint32_t linear, Access a, const OraclePage& given,
                       const FaultResult& result) {
        if (result.kind == Kind::guest_fault) return fail("a fault that the guest's tables do not give");
        const std::uint64_t physical = given.physical | (linear & (kPageBytes - 1));
        if (result.physical.address != physical) return fail("wrong physical address");
        const std::optional<RamPage> ram = memory_.ram_page({given.physical});
        if (!ram) {
            ++seen["mmio"];
            return result.kind == Kind::mmio ? void() : fail("MMIO taken for RAM");
        }
        const std::uint8_t traces = traces_[ram->number];
        if (a.type == AccessType::write && traces != 0) {
            ++seen["write trapped"];
            const bool right = result.kind == Kind::write_trapped && result.traces == traces;
            return right ? void() : fail("a write to a traced page was not trapped");
        }
        const bool supervisor_only = !given.user && page < user_limit_;
        const bool cannot = page >= kLimit || (a.type == AccessType::write && !given.writable && given.user) ||
                            (!Hardware::kEnforcesUser && ((a.user && page >= user_limit_) || (user_view_ && supervisor_only)));
        if (cannot) {
            ++seen["emulate"];
            return result.kind == Kind::emulate ? void() : fail("mapped what cannot be mapped");
        }
        const bool hardware_may_fail = setup_.fail_one_in != 0;
        if (result.kind == Kind::emulate && hardware_may_fail) {
            ++seen["hardware failed"];
            return;
        }
        if (result.kind != Kind::mapped) return fail("not mapped");
        ++seen[given.large ? "mapped large" : "mapped"];
        if (!hardware_.allows(page, a)) fail("reported as mapped, but the access would fault again");
    }

    void check_writes(const OracleResult& expected) {
        // Where one word is both entries of the walk, one update may do for both.
        const bool one_word = expected.writes.size() == 2 && expected.writes[0].at == expected.writes[1].at;
        const bool one_update = one_word && memory_.changes.size() == 1;
        if (!one_update && memory_.changes.size() != expected.writes.size()) return fail("wrong number of A and D updates");
        for (std::size_t i = 0; i < expected.writes.size(); ++i) {
            const OracleWrite& write = expected.writes[i];
            const bool wide = (machine_.cr4 & cr4::kPae) != 0;
            const std::uint64_t now = wide ? memory_.read64({write.at}) : memory_.read32({write.at});
            if ((now & write.value) != write.value) return fail("wrong A or D update");
        }
    }

    void monitor_access() {
        what_ = "translate";
        const Access a{.type = static_cast<AccessType>(below(3)), .user = one_in(2), .smap_override = false};
        const std::uint32_t linear = random_page() << kPageShift;
        const OracleResult expected = oracle_access(memory_, machine_, linear, a);
        const Walk walked = mmu_.translate({linear}, a);
        check_writes(expected);
        tables_changed();
        if (walked.faulted != expected.fault || walked.error_code != expected.code) fail("wrong translation");
    }

    void prefill() {
        what_ = "prefill";
        const std::uint32_t page = random_page();
        const OraclePage now = oracle_page(memory_, machine_, page << kPageShift);
        const bool mapped = mmu_.prefill({page << kPageShift});
        if (!memory_.changes.empty()) fail("prefill set bits");
        if (mapped && (!now.valid || !now.accessed)) fail("prefilled what the guest has not accessed");
        if (!mapped) return;
        ++seen["prefill"];
        if (!hardware_.page(page).mapped()) fail("prefilled, but not mapped");
    }

    template <typename Edit>
    void edit(const char* what, Edit make) {
        what_ = what;
        make();
        tables_changed();
    }

    void tables_changed() {
        tlb_.tables_changed(memory_.changes);
        memory_.changes.clear();
    }

    void invlpg() {
        what_ = "invlpg";
        const std::uint32_t page = random_page();
        mmu_.invlpg({page << kPageShift | below(kPageBytes)});
        tlb_.flush_page(page);
    }

    [[nodiscard]] ControlRegisters registers(const Machine& m) const { return {m.cr0, m.cr3, m.cr4, m.efer}; }

    /// What the CPU does at a load that reads the PDPTEs: false when one of them is not valid.
    [[nodiscard]] bool read_pdptes(Machine& next) const {
        if ((next.cr4 & cr4::kPae) == 0 || (next.cr0 & cr0::kPg) == 0) return true;
        for (std::uint32_t i = 0; i < 4; ++i) {
            next.pdpte[i] = memory_.read64({(next.cr3 & 0xFFFF'FFE0) + i * 8});
            if ((next.pdpte[i] & 1) != 0 && (next.pdpte[i] & (0x1E6 | ~0xF'FFFF'FFFFULL)) != 0) return false;
        }
        return true;
    }

    void load(Machine next, bool flush_global) {
        const bool valid = read_pdptes(next);
        const bool done = mmu_.load_control(registers(next), {.flush_global = flush_global, .load_pdptes = true});
        if (done != valid) return fail("reserved bits of a PDPTE");
        if (!done) {
            ++seen["bad PDPTE"];
            return;
        }
        machine_ = next;
        tlb_.flush(flush_global);
        check_everything();
    }

    void load_cr3() {
        what_ = "cr3 load";
        ++seen["cr3 load"];
        Machine next = machine_;
        next.cr3 = tables_.root(below(GuestTables::kRoots)) | (one_in(4) ? 0x18 : 0); // PWT, PCD
        load(next, false);
    }

    /// CR4.PGE twice, as a kernel does to flush all.
    void reload() {
        what_ = "PGE toggled";
        Machine next = machine_;
        next.cr4 ^= cr4::kPge;
        load(next, true);
    }

    void change_rights() {
        what_ = "rights changed";
        Machine next = machine_;
        const std::uint32_t dice = below(4);
        if (dice < 2) next.cr0 ^= cr0::kWp;
        else if (dice == 2) next.efer ^= efer::kNxe;
        else next.cr4 ^= cr4::kSmep;
        load(next, dice > 1);
    }

    void change_mode() {
        what_ = "mode changed";
        const std::uint32_t dice = below(8);
        Machine next;
        next.cr0 = (dice == 0 ? 0U : std::uint32_t{cr0::kPg}) | (one_in(4) ? 0U : std::uint32_t{cr0::kWp});
        next.cr4 = (dice < 4 ? 0U : std::uint32_t{cr4::kPae}) | (one_in(6) ? 0U : std::uint32_t{cr4::kPse}) | (one_in(4) ? 0U : std::uint32_t{cr4::kPge});
        next.efer = one_in(3) ? 0 : efer::kNxe;
        tables_.write_all(dice >= 4);
        memory_.changes.clear();
        next.cr3 = tables_.root(below(GuestTables::kRoots));
        // Through paging off, as CPUs want it.
        Machine off = machine_;
        off.cr0 &= ~cr0::kPg;
        load(off, true);
        load(next, true);
    }

    void trace() {
        what_ = "trace";
        constexpr Trace kReasons[] = {Trace::translated_code, Trace::page_table, Trace::rom};
        const Trace reason = kReasons[below(3)];
        const auto bit = static_cast<std::uint8_t>(reason);
        // A page that is mapped somewhere, most of the time.
        std::uint32_t ram = one_in(2) ? 64 + below(24) : below(memory_.ram_pages());
        const std::uint32_t page = random_page();
        if (page < kLimit && hardware_.page(page).mapped()) ram = hardware_.page(page).ram;
        if (traces_[ram] != 0 && !one_in(3)) {
            mmu_.unprotect_page({ram}, reason);
            traces_[ram] = static_cast<std::uint8_t>(traces_[ram] & ~bit);
        } else {
            const bool fresh = mmu_.protect_page({ram}, reason);
            if (fresh != ((traces_[ram] & bit) == 0)) fail("protect_page: new or not");
            traces_[ram] = static_cast<std::uint8_t>(traces_[ram] | bit);
        }
        if (mmu_.traces({ram}) != traces_[ram]) fail("traces");
        check_everything();
    }

    void set_privilege() {
        what_ = "privilege";
        user_view_ = !user_view_;
        mmu_.set_privilege(user_view_);
        check_everything();
    }

    void set_user_limit() {
        what_ = "user limit";
        if (!setup_.user_limits) return;
        constexpr std::uint32_t kLimits[] = {kLimit, 1536 * 512, 512 * 512 + 8};
        user_limit_ = kLimits[below(3)];
        mmu_.set_user_limit({user_limit_});
        check_everything();
    }

    void drop_all() {
        what_ = "drop all";
        mmu_.drop_all();
        tlb_.flush(true);
        check_everything();
        if (hardware_.runs(hardware_.active()) != 0) fail("left mapped");
    }

    /// What one page must obey.
    void check_page(std::uint32_t page) {
        if (page >= kLimit) return;
        const HardwarePage& mapped = hardware_.page(page);
        if (!mapped.mapped()) return;
        if (!tlb_.watches(page)) { // the guest's tables are empty there
            if ((machine_.cr0 & cr0::kPg) != 0 || mapped.ram != page) fail("a page is mapped that nobody touched");
            return;
        }
        const bool user_reaches = !Hardware::kEnforcesUser && user_view_ && page < user_limit_;
        if (!tlb_.allows(page, mapped, user_reaches, Hardware::kEnforcesUser, Hardware::kEnforcesExecute)) {
            std::ostringstream text;
            text << "no TLB could hold linear page " << page << " as RAM page " << mapped.ram << " write "
                 << mapped.protection.write << " user " << mapped.protection.user << " execute "
                 << mapped.protection.execute;
            fail(text.str());
        }
    }

    /// The pages that the operation can have changed something for.
    void check() {
        for (const std::uint32_t page : hardware_.changed) check_page(page);
        for (const std::uint32_t page : tlb_.shrunk) check_page(page);
        for (const std::uint32_t page : hardware_.changed) {
            if (page < kLimit) check_trace(hardware_.page(page));
        }
        hardware_.changed.clear();
        tlb_.shrunk.clear();
        const Flush flush = mmu_.take_flush();
        for (const std::uint32_t page : hardware_.stale) {
            const bool in_run = page >= flush.run.first.number && page - flush.run.first.number < flush.run.pages;
            if (!flush.everything && !in_run) fail("a flush was not asked for");
        }
        hardware_.stale.clear();
        if (!hardware_.complaint.empty()) fail(hardware_.complaint);
    }

    void check_trace(const HardwarePage& page) {
        if (page.mapped() && page.protection.write && traces_[page.ram] != 0) fail("a traced page is writable");
    }

    void check_everything() {
        for (std::uint32_t space = 0; space < Hardware::kLinearSpaces; ++space) {
            for (const std::uint32_t area : watched_areas()) {
                for (std::uint32_t page = area * 512; page < std::min(area * 512 + 512, kLimit); ++page) {
                    check_trace(hardware_.space(space)[page]);
                    if (space == hardware_.active()) check_page(page);
                }
            }
        }
        const std::uint32_t most = setup_.config.max_runs;
        if (Hardware::kLinearSpaces == 1 && hardware_.runs(0) > most) fail("more runs than allowed");
    }

    ModelSetup setup_;
    Random random_;
    FakeMemory memory_;
    Hardware hardware_;
    Machine machine_;
    GuestTables tables_;
    std::vector<std::byte> arena_;
    Mmu mmu_;
    TlbModel tlb_;
    std::vector<std::uint8_t> traces_;
    bool user_view_ = false;
    std::uint32_t user_limit_ = kLimit;
    std::uint64_t done_ = 0;
    std::string what_;
    std::string failure_;
};

} // namespace ringone::mmu::test
