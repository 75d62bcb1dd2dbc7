// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
//
// Guests that try every way into the monitor's zone and out of their sandbox. Each knows how the architecture ends each
// of its attempts and reports where RingOne differs; afterwards the zone must be as the monitor left it.
#include "tests/protection/zone_guard.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <random>
#include <thread>

namespace ringone::tests {
namespace {

class Protection : public testing::TestWithParam<std::tuple<const char*, NamedOptions>> {};

TEST_P(Protection, EndsAsPrescribedAndLeavesTheZoneAlone) {
    const auto& [guest, options] = GetParam();
    GuestMachine machine(options.options);
    const ZoneGuard guard(machine.world());
    const GuestRun run = machine.run(guest);
    EXPECT_EQ(run.stop.kind, vmm::StopKind::requested) << run.stop.why << " at " << std::hex << run.stop.eip;
    EXPECT_EQ(run.exit_code, 0) << run.serial;
    EXPECT_NE(run.serial.find("passed: "), std::string::npos) << run.serial;
    EXPECT_EQ(guard.damage(), "");
}

std::string name_of(const testing::TestParamInfo<Protection::ParamType>& info) {
    return std::string(std::get<0>(info.param)) + "_" + std::get<1>(info.param).name;
}

INSTANTIATE_TEST_SUITE_P(Guests, Protection,
                         testing::Combine(testing::Values("escape", "gates", "segments", "self_modifying", "stacks", "tasks", "user_pages", "vm86", "zone_access"),
                                          testing::ValuesIn(kAllOptions)),
                         name_of);

// These guests run with IF 0: an interrupt that waits makes each kick look for a boundary, and is never taken.
class Kicked : public testing::TestWithParam<const char*> {};

TEST_P(Kicked, AtAnyMomentNothingChanges) {
    GuestMachine machine(translator::Options{});
    std::atomic<bool> end{false};
    std::thread timer([&] {
        std::mt19937 random(1);
        std::uniform_int_distribution<int> pause(1, 40);
        machine.raise_interrupt();
        while (!end.load()) {
            std::this_thread::sleep_for(std::chrono::microseconds(pause(random)));
            machine.world().kick();
        }
    });
    const GuestRun run = machine.run(GetParam());
    end.store(true);
    timer.join();
    EXPECT_EQ(run.stop.kind, vmm::StopKind::requested) << run.stop.why << " at " << std::hex << run.stop.eip;
    EXPECT_EQ(run.exit_code, 0) << run.serial;
    EXPECT_NE(run.serial.find("passed: "), std::string::npos) << run.serial;
    EXPECT_EQ(machine.interrupts_taken(), 0U);
    EXPECT_GT(machine.monitor().counters().kicks, 20U);
}

INSTANTIATE_TEST_SUITE_P(Guests, Kicked,
                         testing::Values("gates", "segments", "self_modifying", "stacks", "tasks", "user_pages"),
                         [](const auto& tested) { return std::string(tested.param); });

// Without it the first test would pass however much a guest wrote.
TEST(ZoneGuard, FindsThePatternAndAChangedGate) {
    GuestMachine machine(translator::Options{});
    const ZoneGuard guard(machine.world());
    ASSERT_EQ(guard.damage(), "");
    auto* zone = const_cast<std::uint8_t*>(machine.world().zone_memory());
    const std::uint32_t magic = ZoneGuard::kMagic;
    for (const std::uint32_t at : {0x18U, 0x2003U, machine.world().zone_bytes() - 4U}) {
        std::uint32_t before = 0;
        std::memcpy(&before, zone + at, sizeof before);
        std::memcpy(zone + at, &magic, sizeof magic);
        EXPECT_NE(guard.damage(), "") << at;
        std::memcpy(zone + at, &before, sizeof before);
        EXPECT_EQ(guard.damage(), "");
    }
    std::uint8_t& gate = zone[(sizeof(translator::GsArea) + 4095) / 4096 * 4096 + 100];
    gate ^= 1U;
    EXPECT_NE(guard.damage(), "");
    gate ^= 1U;
}

} // namespace
} // namespace ringone::tests
