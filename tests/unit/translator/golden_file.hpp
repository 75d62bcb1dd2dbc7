// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include <string>

namespace ringone::tests {

/// Fails the test when `now` is not the text of golden/NAME.txt. With RINGONE_UPDATE_GOLDEN=1, rewrites it.
void expect_golden(const std::string& name, const std::string& now);

} // namespace ringone::tests
