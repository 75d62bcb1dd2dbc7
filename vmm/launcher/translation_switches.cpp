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
    bool translator::Options::*option;
};

constexpr Switch kSwitches[] = {
    {"chain", &translator::Options::chain},
    {"fall-through", &translator::Options::fall_through},
    {"indirect-lookup", &translator::Options::indirect_lookup},
    {"site-cache", &translator::Options::site_cache},
    {"place-entries", &translator::Options::place_entries},
    {"return-cache", &translator::Options::return_cache},
    {"inline-cli-sti", &translator::Options::inline_cli_sti},
    {"inline-pushf-popf", &translator::Options::inline_pushf_popf},
    {"inline-selector-reads", &translator::Options::inline_selector_reads},
    {"inline-selector-loads", &translator::Options::inline_selector_loads},
    {"adaptive", &translator::Options::adaptive},
};

} // namespace

std::string switch_names() {
    std::string names;
    for (const Switch& s : kSwitches) names += fmt::format("{}{}", names.empty() ? "" : ",", s.name);
    return names;
}

translator::Options options_without(const std::vector<std::string>& names) {
    translator::Options options;
    for (const std::string& name : names) {
        bool known = false;
        for (const Switch& s : kSwitches) {
            if (name != s.name && name != "all") continue;
            options.*s.option = false;
            known = true;
        }
        if (!known) throw UserError(fmt::format("--without {}: there is all, {}", name, switch_names()));
    }
    return options;
}

} // namespace ringone::launcher
