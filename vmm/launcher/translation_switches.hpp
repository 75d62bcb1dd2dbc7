// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "translator/options.hpp"

#include <string>
#include <vector>

namespace ringone::launcher {

/// Names of the optimizations that --without takes, separated by commas.
[[nodiscard]] std::string switch_names();

/// The options without the optimizations named; "all" names them all. Throws UserError for a name there is not.
[[nodiscard]] translator::Options options_without(const std::vector<std::string>& names);

} // namespace ringone::launcher
