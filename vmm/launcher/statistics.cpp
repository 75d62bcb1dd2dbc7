// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "vmm/launcher/statistics.hpp"

#include <Zydis/Zydis.h>
#include <algorithm>
#include <fmt/format.h>
#include <span>

namespace ringone::launcher {
namespace {

class Collector {
public:
    explicit Collector(std::vector<Statistic>& out) : out_(out) {}

    Collector& group(const char* name) {
        group_ = name;
        return *this;
    }
    Collector& add(std::string name, std::uint64_t value) {
        out_.push_back({group_, std::move(name), value});
        return *this;
    }
    /// The mnemonics that were counted, most first.
    void mnemonics(const char* group_name, std::span<const std::uint32_t> counts) {
        group(group_name);
        const std::size_t begin = out_.size();
        for (std::size_t i = 0; i < counts.size(); ++i)
            if (counts[i] != 0) add(ZydisMnemonicGetString(static_cast<ZydisMnemonic>(i)), counts[i]);
        std::stable_sort(out_.begin() + static_cast<std::ptrdiff_t>(begin), out_.end(),
                         [](const Statistic& a, const Statistic& b) { return a.value > b.value; });
    }

private:
    std::vector<Statistic>& out_;
    std::string group_;
};

// Names of SDM Vol. 3 table 6-1.
constexpr const char* kVectorNames[32] = {"DE", "DB", "NMI", "BP", "OF", "BR", "UD", "NM", "DF", "CSO", "TS",
                                          "NP", "SS", "GP", "PF", nullptr, "MF", "AC", "MC", "XM"};

void add_vectors(Collector& c, const char* group, std::span<const std::uint64_t> counts) {
    c.group(group);
    for (std::size_t i = 0; i < counts.size(); ++i) {
        const char* const name = i < std::size(kVectorNames) ? kVectorNames[i] : nullptr;
        if (name != nullptr) c.add(fmt::format("#{}", name), counts[i]);
        else if (counts[i] != 0) c.add(fmt::format("vector {}", i), counts[i]);
    }
}

} // namespace

std::vector<Statistic> collect(VirtualMachine& machine) {
    std::vector<Statistic> out;
    Collector c(out);
    vmm::Monitor& monitor = machine.monitor();
    const vmm::MonitorCounters& m = monitor.counters();
    const translator::CacheCounters& t = monitor.translator().cache().counters();
    const mmu::ShadowCounters& s = monitor.memory().shadow_counters();
    const vmm::MemoryCounters& g = monitor.memory().counters();
    const vmm::CodeViewCounters& v = monitor.views().counters();
    const PcServices::Counters& p = machine.services().counters();
    const devices::TickCounters& ticks = machine.services().platform().tick_counters();

    c.group("run")
        .add("microseconds", machine.run_ns() / 1000)
        .add("slept microseconds", p.slept_ns / 1000)
        .add("world switches", machine.world().context().runs)
        .add("translation cycles", m.translation_cycles)
        .add("kicks", m.kicks)
        .add("roll-forward steps", m.roll_forward_steps)
        .add("segment loads", m.segment_loads)
        .add("segment registers loaded by fragments", m.inlined_segment_loads)
        .add("passages of fragments", m.passages)
        .add("instructions translated anew", m.adapted);
    c.group("translations")
        .add("fragments", t.fragments)
        .add("guest instructions", t.guest_instructions)
        .add("identical instructions", t.identical_instructions)
        .add("guest bytes", t.guest_bytes)
        .add("code bytes", t.code_bytes)
        .add("links made", t.links_made)
        .add("links cut", t.links_cut)
        .add("indirect entries", t.indirect_entries)
        .add("return entries", t.return_entries)
        .add("sites learned", t.sites_learned)
        .add("sites given up", t.sites_given_up)
        .add("invalidated", t.invalidated)
        .add("evicted fragments", t.evicted_fragments)
        .add("evicted units", t.evicted_units)
        .add("flushes", t.flushes)
        .add("dispatch resets", t.dispatch_resets);
    c.group("exits from fragments")
        .add("unchained branches", m.exits_link)
        .add("indirect branches", m.exits_indirect)
        .add("callouts", m.exits_callout)
        .add("guest faults", m.exits_fault)
        .add("single steps", m.exits_step)
        .add("hardware exceptions", m.traps + m.hidden_faults);
    c.mnemonics("callouts by instruction", m.callouts_by_mnemonic);
    c.mnemonics("emulated after a hardware exception", m.emulated_by_mnemonic);
    add_vectors(c, "hardware exceptions by vector", m.traps_by_vector);
    add_vectors(c, "faults injected into the guest", m.injected_by_vector);
    c.group("events")
        .add("injected faults", m.injected_faults)
        .add("injected interrupts", m.injected_interrupts)
        .add("halts", m.halts)
        .add("timer ticks", ticks.delivered)
        .add("late timer ticks", ticks.late)
        .add("lost timer ticks", ticks.lost)
        .add("spurious interrupts", machine.services().platform().spurious_interrupts());
    c.group("shadow page tables")
        .add("hidden faults", s.hidden_faults)
        .add("true faults", s.injected_faults)
        .add("fills", s.fills)
        .add("prefills", s.prefills)
        .add("runs mapped", s.runs_mapped)
        .add("pages mapped", s.pages_mapped)
        .add("pages found mapped", s.pages_found_mapped)
        .add("upgrades", s.upgrades)
        .add("runs unmapped", s.runs_unmapped)
        .add("runs protected", s.runs_protected)
        .add("runs evicted", s.runs_evicted)
        .add("regions evicted", s.regions_evicted)
        .add("spaces evicted", s.spaces_evicted)
        .add("map failures", s.map_failures)
        .add("CR3 loads", s.cr3_loads)
        .add("space switches", s.switches)
        .add("full drops", s.full_drops)
        .add("INVLPG", s.invlpgs)
        .add("regions kept", s.regions_kept)
        .add("regions dropped", s.regions_dropped)
        .add("pages kept", s.pages_kept)
        .add("pages dropped", s.pages_dropped)
        .add("pages moved", s.pages_moved)
        .add("hide sweeps", s.hide_sweeps)
        .add("pages hidden", s.pages_hidden)
        .add("write traps", s.write_traps)
        .add("traced code pages", s.protects_code)
        .add("traced page tables", s.protects_table)
        .add("traces ended", s.unprotects);
    c.group("code memory")
        .add("pages traced", g.pages_traced)
        .add("pages released", g.pages_released)
        .add("writes to code", g.code_writes)
        .add("data writes on code pages", g.data_writes_on_code_pages)
        .add("accesses below the floor", m.low_accesses)
        .add("view walks", v.walks)
        .add("view rechecks", v.rechecks)
        .add("view pages rechecked", v.pages_rechecked)
        .add("view pages hidden", v.pages_hidden)
        .add("view pages moved", v.pages_moved)
        .add("views opened", v.views_opened)
        .add("views shared", v.views_shared);
    c.group("devices")
        .add("port reads", p.io_reads)
        .add("port writes", p.io_writes)
        .add("MMIO reads", p.mmio_reads)
        .add("MMIO writes", p.mmio_writes)
        .add("polls", p.polls)
        .add("timer settings", p.timer_settings)
        .add("sleeps", p.sleeps)
        .add("unclaimed port reads", machine.services().platform().port_counters().unclaimed_reads)
        .add("unclaimed port writes", machine.services().platform().port_counters().unclaimed_writes);
    return out;
}

std::string to_text(const std::vector<Statistic>& statistics) {
    std::string text;
    std::string group;
    for (const Statistic& s : statistics) {
        if (s.value == 0) continue;
        if (s.group != group) text += fmt::format("{}:\n", s.group);
        group = s.group;
        text += fmt::format("  {:<28} {:>14}\n", s.name, s.value);
    }
    return text;
}

std::string to_json(const std::vector<Statistic>& statistics) {
    std::string text = "{";
    std::string group;
    for (const Statistic& s : statistics) {
        if (s.group != group) {
            text += fmt::format("{}\"{}\": {{", group.empty() ? "" : "}, ", s.group);
            group = s.group;
        } else {
            text += ", ";
        }
        text += fmt::format("\"{}\": {}", s.name, s.value);
    }
    return text + (group.empty() ? "}\n" : "}}\n");
}

} // namespace ringone::launcher
