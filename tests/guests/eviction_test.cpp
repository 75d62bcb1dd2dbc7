// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
//
// A guest (eviction.asm) with far more code than the translation cache holds: what it computes is right, the cache is
// recycled again and again while it runs, and interrupts find it at any moment of that.
#include "tests/guests/guest_machine.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <random>
#include <thread>

namespace ringone::tests {
namespace {

constexpr std::uint64_t kLeastEvictions = 4 * translator::TranslationCache::kUnits;

class Eviction : public testing::TestWithParam<NamedOptions> {};

void expect_passed(const GuestRun& run, GuestMachine& machine) {
    EXPECT_EQ(run.stop.kind, vmm::StopKind::requested) << run.stop.why << " at " << std::hex << run.stop.eip;
    EXPECT_EQ(run.exit_code, 0) << run.serial;
    EXPECT_NE(run.serial.find("passed: "), std::string::npos) << run.serial;
    const translator::CacheCounters& counters = machine.monitor().translator().cache().counters();
    EXPECT_GE(counters.evicted_units, kLeastEvictions);
    EXPECT_GT(counters.evicted_fragments, 100'000U);
    EXPECT_GT(counters.invalidated, 10'000U) << "functions that were made anew while their fragments lived";
    EXPECT_EQ(counters.flushes, 0U) << "units go one by one, never all";
}

TEST_P(Eviction, MegabytesOfCode) {
    GuestMachine machine(GetParam().options);
    expect_passed(machine.run("eviction"), machine);
}

TEST_P(Eviction, MegabytesOfCodeUnderInterrupts) {
    GuestMachine machine(GetParam().options);
    std::atomic<bool> end{false};
    std::thread timer([&] {
        std::mt19937 random(1);
        std::uniform_int_distribution<int> pause(50, 500);
        while (!end.load()) {
            std::this_thread::sleep_for(std::chrono::microseconds(pause(random)));
            machine.raise_interrupt();
            machine.world().kick();
        }
    });
    const GuestRun run = machine.run("eviction");
    end.store(true);
    timer.join();
    expect_passed(run, machine);
    EXPECT_GT(machine.interrupts_taken(), 500U);
}

INSTANTIATE_TEST_SUITE_P(Guests, Eviction, testing::ValuesIn(kAllOptions),
                         [](const auto& tested) { return std::string(tested.param.name); });

} // namespace
} // namespace ringone::tests
