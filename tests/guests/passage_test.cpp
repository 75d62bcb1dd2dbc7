// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
//
// A guest (passages.asm) that changes its privilege thousands of times by SYSENTER, SYSEXIT, INT and IRET,
// quietly, under interrupts and under kicks that bring none: everything arrives as it left, and fragments do most
// of it by themselves.
#include "tests/guests/guest_machine.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <random>
#include <thread>

namespace ringone::tests {
namespace {

constexpr std::uint64_t kRounds = 2 * 5000; // as in the guest, with and without paging
constexpr std::uint64_t kWantedInterrupts = 100;

void expect_passed(const GuestRun& run) {
    EXPECT_EQ(run.stop.kind, vmm::StopKind::requested) << run.stop.why << " at " << std::hex << run.stop.eip;
    EXPECT_EQ(run.exit_code, 0) << run.serial;
    EXPECT_NE(run.serial.find("passed: "), std::string::npos) << run.serial;
}

/// Runs a guest while another thread calls `disturb` at random moments.
GuestRun run_disturbed(GuestMachine& machine, const std::string& guest, int longest_pause_us,
                       const std::function<void()>& disturb) {
    std::atomic<bool> end{false};
    std::thread timer([&] {
        std::mt19937 random(1);
        std::uniform_int_distribution<int> pause(1, longest_pause_us);
        while (!end.load()) {
            std::this_thread::sleep_for(std::chrono::microseconds(pause(random)));
            disturb();
        }
    });
    GuestRun run = machine.run(guest);
    end.store(true);
    timer.join();
    return run;
}

class Passages : public testing::TestWithParam<std::tuple<const char*, NamedOptions>> {};

TEST_P(Passages, ArriveAsTheyLeft) {
    const auto& [guest, options] = GetParam();
    GuestMachine machine(options.options);
    expect_passed(machine.run(guest));
    const vmm::MonitorCounters& counters = machine.monitor().counters();
    const auto callouts = [&](ZydisMnemonic mnemonic) { return counters.callouts_by_mnemonic[mnemonic]; };
    if (options.options.inline_passages) {
        EXPECT_GT(counters.passages, kRounds);
        EXPECT_LT(callouts(ZYDIS_MNEMONIC_SYSENTER), kRounds / 4);
        EXPECT_LT(callouts(ZYDIS_MNEMONIC_SYSEXIT), kRounds / 4);
        EXPECT_LT(callouts(ZYDIS_MNEMONIC_IRETD), kRounds / 2);
    } else {
        EXPECT_EQ(counters.passages, 0U);
        EXPECT_GT(callouts(ZYDIS_MNEMONIC_SYSENTER), kRounds);
        EXPECT_GT(callouts(ZYDIS_MNEMONIC_SYSEXIT), kRounds);
        EXPECT_GT(callouts(ZYDIS_MNEMONIC_IRETD), kRounds);
    }
}

TEST_P(Passages, UnderInterrupts) {
    const auto& [guest, options] = GetParam();
    GuestMachine machine(options.options);
    const GuestRun run = run_disturbed(machine, guest, 150, [&] {
        machine.raise_interrupt();
        machine.world().kick();
    });
    expect_passed(run);
    EXPECT_GE(machine.interrupts_taken(), kWantedInterrupts);
    EXPECT_NE(run.serial.find("landed"), std::string::npos) << "none came right after SYSEXIT";
}

TEST_P(Passages, UnderKicks) {
    const auto& [guest, options] = GetParam();
    GuestMachine machine(options.options);
    expect_passed(run_disturbed(machine, guest, 40, [&] { machine.world().kick(); }));
    EXPECT_EQ(machine.interrupts_taken(), 0U);
    EXPECT_GT(machine.monitor().counters().kicks, 20U);
}

INSTANTIATE_TEST_SUITE_P(Guests, Passages,
                         testing::Combine(testing::Values("passages", "passages_mixed"),
                                          testing::ValuesIn(kAllOptions)),
                         [](const auto& tested) {
                             const char* const guest = std::get<0>(tested.param);
                             return std::string(guest) + "_" + std::get<1>(tested.param).name;
                         });

} // namespace
} // namespace ringone::tests
