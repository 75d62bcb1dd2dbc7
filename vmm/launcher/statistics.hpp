// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "vmm/launcher/virtual_machine.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace ringone::launcher {

/// A counter as --stats shows it. `group` and `name` are stable: programs read them from the JSON form.
struct Statistic {
    std::string group, name;
    std::uint64_t value;
};

/// All counters of a machine that is not running.
[[nodiscard]] std::vector<Statistic> collect(VirtualMachine& machine);

/// Lines for people: one group a paragraph, counters that are zero left out.
[[nodiscard]] std::string to_text(const std::vector<Statistic>& statistics);
/// One JSON object of objects, all counters.
[[nodiscard]] std::string to_json(const std::vector<Statistic>& statistics);

} // namespace ringone::launcher
