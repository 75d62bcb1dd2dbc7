// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
//
// A guest (breakpoints.asm) arms its debug registers, knows by hand what each instruction meets, and compares.
#include "tests/guests/guest_machine.hpp"

#include <gtest/gtest.h>

namespace ringone::tests {
namespace {

class DebugRegisters : public testing::TestWithParam<NamedOptions> {};

TEST_P(DebugRegisters, TrapWhereTheyShouldAndCostOnlyThere) {
    GuestMachine machine(GetParam().options);
    const GuestRun run = machine.run("breakpoints");
    EXPECT_EQ(run.stop.kind, vmm::StopKind::requested) << run.stop.why << " at " << std::hex << run.stop.eip;
    EXPECT_EQ(run.exit_code, 0) << run.serial;
    EXPECT_NE(run.serial.find("passed: "), std::string::npos) << run.serial;
    // It runs a loop of a million instructions with breakpoints elsewhere: none of them is stepped.
    EXPECT_LT(machine.monitor().counters().exits_step, 5000U);
}

std::string name_of(const testing::TestParamInfo<NamedOptions>& param) { return param.param.name; }

INSTANTIATE_TEST_SUITE_P(Guest, DebugRegisters, testing::ValuesIn(kAllOptions), name_of);

} // namespace
} // namespace ringone::tests
