// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace ringone::launcher {

/// Adds `ringone run` to the command line. Its `command`, set when the user asked for it, gives the exit status and
/// throws UserError.
void add_run(CLI::App& app, std::function<int()>& command);

} // namespace ringone::launcher
