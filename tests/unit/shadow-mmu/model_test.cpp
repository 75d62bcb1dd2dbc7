// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
//
// RINGONE_MODEL_SEED and RINGONE_MODEL_OPERATIONS change what is run.
#include "tests/unit/shadow-mmu/shadow_model.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <iostream>

namespace ringone::mmu::test {
namespace {

std::uint64_t number_from(const char* name, std::uint64_t otherwise) {
    const char* const text = std::getenv(name);
    return text != nullptr ? std::strtoull(text, nullptr, 0) : otherwise;
}

template <typename Hardware>
void run_model(ModelSetup setup, std::uint64_t operations) {
    setup.seed = number_from("RINGONE_MODEL_SEED", setup.seed);
    operations = number_from("RINGONE_MODEL_OPERATIONS", operations);
    ShadowModel<Hardware> model(setup);
    const std::string failure = model.run(operations);
    std::cout << "seed " << setup.seed << ", " << operations << " operations:";
    for (const auto& [what, count] : model.seen) std::cout << ' ' << what << ' ' << count;
    const ShadowCounters& c = model.counters();
    std::cout << "; runs mapped " << c.runs_mapped << " evicted " << c.runs_evicted << " regions evicted "
              << c.regions_evicted << " spaces evicted " << c.spaces_evicted << " map failures " << c.map_failures
              << " moved " << c.pages_moved << " hidden " << c.pages_hidden << " eager " << c.eager_maps << '\n';
    EXPECT_EQ(failure, "");
    if (!failure.empty()) return;
    // The run has met everything that it is to test.
    for (const char* what : {"hit", "mapped", "mapped large", "guest fault", "mmio", "write trapped", "emulate",
                             "prefill", "cr3 load"}) {
        EXPECT_GT(model.seen[what], operations / 5000) << what;
    }
}

#ifdef __SANITIZE_ADDRESS__
constexpr std::uint64_t kOperations = 20'000; // what is seen here is memory; what the operations do is seen elsewhere
#else
constexpr std::uint64_t kOperations = 100'000;
#endif

TEST(ShadowModelTest, OneLinearSpace) { run_model<SingleSpace>({.seed = 1}, kOperations); }

TEST(ShadowModelTest, OneLinearSpaceEagerAtSwitches) {
    run_model<SingleSpace>({.seed = 2, .config = {.eager_runs = 8, .eager_entries = 4}}, kOperations);
}

TEST(ShadowModelTest, OneLinearSpaceWithEverythingOff) {
    run_model<SingleSpace>({.seed = 3, .config = {.keep_spaces = false, .fill_neighbours = false}}, kOperations / 2);
}

TEST(ShadowModelTest, ManyLinearSpaces) { run_model<ManySpaces>({.seed = 4}, kOperations); }

/// Pools so small that regions, spaces and runs are evicted all the time.
TEST(ShadowModelTest, SmallPools) {
    run_model<SingleSpace>({.seed = 5, .config = {.spaces = 3, .regions = 16, .max_runs = 12, .eager_runs = 4}}, kOperations / 2);
    run_model<ManySpaces>({.seed = 6, .config = {.spaces = 3, .regions = 16, .max_runs = 12}}, kOperations / 2);
}

TEST(ShadowModelTest, HardwareThatFails) {
    run_model<SingleSpace>({.seed = 7, .fail_one_in = 3}, kOperations / 2);
    run_model<ManySpaces>({.seed = 8, .fail_one_in = 3}, kOperations / 2);
}

/// The host takes fewer runs than the budget says.
TEST(ShadowModelTest, HardwareThatFillsUp) {
    run_model<SingleSpace>({.seed = 9, .run_limit = 10}, kOperations / 2);
}

} // namespace
} // namespace ringone::mmu::test
