// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "translator/options.hpp"
#include "vmm/monitor/memory_switches.hpp"
#include "vmm/worlds/process/process_world.hpp"

#include <string>
#include <vector>

namespace ringone::launcher {

/// Every optimization that can be switched off.
struct Switches {
    translator::Options translation;
    vmm::MemorySwitches memory;
    vmm::ProcessSwitches process;
};

/// Names of the optimizations that --without takes, separated by commas.
[[nodiscard]] std::string switch_names();

/// The switches without the optimizations named; "all" names them all. Besides, "native-memory" lets the
/// emulator execute what accesses memory, for tests. Throws UserError for a name there is not.
[[nodiscard]] Switches switches_without(const std::vector<std::string>& names);

} // namespace ringone::launcher
