// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "vmm/launcher/translation_switches.hpp"

#include "vmm/launcher/exit_status.hpp"

#include <fmt/format.h>
#include <string_view>

namespace ringone::launcher {
namespace {

struct Switch {
    std::string_view name;
    bool& (*in)(Switches&);
    bool optimization = true; ///< else for tests: not among "all"
};

template <bool translator::Options::*option>
bool& translation(Switches& all) { return all.translation.*option; }
template <bool vmm::MemorySwitches::*option>
bool& memory(Switches& all) { return all.memory.*option; }
template <bool vmm::ProcessSwitches::*option>
bool& process(Switches& all) { return all.process.*option; }

constexpr Switch kSwitches[] = {
    {"chain", translation<&translator::Options::chain>},
    {"fall-through", translation<&translator::Options::fall_through>},
    {"indirect-lookup", translation<&translator::Options::indirect_lookup>},
    {"site-cache", translation<&translator::Options::site_cache>},
    {"place-entries", translation<&translator::Options::place_entries>},
    {"return-cache", translation<&translator::Options::return_cache>},
    {"inline-cli-sti", translation<&translator::Options::inline_cli_sti>},
    {"inline-pushf-popf", translation<&translator::Options::inline_pushf_popf>},
    {"inline-selector-reads", translation<&translator::Options::inline_selector_reads>},
    {"inline-selector-loads", translation<&translator::Options::inline_selector_loads>},
    {"inline-passages", translation<&translator::Options::inline_passages>},
    {"adaptive", translation<&translator::Options::adaptive>},
    {"native-memory", translation<&translator::Options::native_memory>, false},
    {"prefill", memory<&vmm::MemorySwitches::prefill>},
    {"eager-spaces", memory<&vmm::MemorySwitches::eager_spaces>},
    {"trap-jump", process<&vmm::ProcessSwitches::trap_jump>},
    {"populate", process<&vmm::ProcessSwitches::populate>},
};

} // namespace

std::string switch_names() {
    std::string names;
    for (const Switch& s : kSwitches)
        if (s.optimization) names += fmt::format("{}{}", names.empty() ? "" : ",", s.name);
    return names;
}

Switches switches_without(const std::vector<std::string>& names) {
    Switches switches;
    for (const std::string& name : names) {
        bool known = false;
        for (const Switch& s : kSwitches) {
            if (name != s.name && !(name == "all" && s.optimization)) continue;
            s.in(switches) = false;
            known = true;
        }
        if (!known) throw UserError(fmt::format("--without {}: there is all, {}", name, switch_names()));
    }
    return switches;
}

} // namespace ringone::launcher
