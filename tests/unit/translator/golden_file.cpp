// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "tests/unit/translator/golden_file.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace ringone::tests {

void expect_golden(const std::string& name, const std::string& now) {
    const std::string path = RINGONE_GOLDEN_DIR "/" + name + ".txt";
    if (std::getenv("RINGONE_UPDATE_GOLDEN") != nullptr) {
        std::ofstream(path) << now;
        return;
    }
    std::ifstream file(path);
    ASSERT_TRUE(file) << path << " is missing: run once with RINGONE_UPDATE_GOLDEN=1";
    std::ostringstream golden;
    golden << file.rdbuf();
    EXPECT_EQ(golden.str(), now) << "the emitted code changed: review it, then RINGONE_UPDATE_GOLDEN=1";
}

} // namespace ringone::tests
