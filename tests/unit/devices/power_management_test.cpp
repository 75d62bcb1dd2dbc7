// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "devices/acpi/power_management.hpp"
#include "devices/debug_exit/debug_console.hpp"
#include "devices/debug_exit/debug_exit.hpp"
#include "devices/reset/reset_control.hpp"
#include "tests/unit/devices/fakes.hpp"

namespace ringone::devices {
namespace {

constexpr std::uint32_t kStatus = 0, kEnable = 2, kControl = 4, kTimer = 8;

struct Pm : testing::Test {
    FakeClock clock;
    FakeLine sci, power_off;
    PowerManagement pm{clock, sci, power_off};
};

TEST_F(Pm, TheTimerRunsAt3579545Hz) {
    const std::uint32_t first = pm.read(kTimer, 4);
    clock.ns = kSecond;
    EXPECT_EQ(pm.read(kTimer, 4) - first, 3'579'545U);
    clock.ns = 10 * kSecond;
    EXPECT_EQ(pm.read(kTimer, 4), 35'795'454U % (1U << 24U)) << "24 bits, as the FADT says";
}

TEST_F(Pm, LinuxFindsTheTimerMonotonic) {
    // init_acpi_pm_clocksource: ten reads that must go up, but for one wrap.
    std::uint32_t last = pm.read(kTimer, 4);
    for (unsigned i = 0; i < 10'000; ++i) {
        clock.ns += 700;
        const std::uint32_t now = pm.read(kTimer, 4);
        ASSERT_GT(now, last);
        last = now;
    }
}

TEST_F(Pm, TheTimersCarryInterrupts) {
    EXPECT_FALSE(pm.next_deadline_ns());
    pm.write(kEnable, 2, PowerManagement::kTimerStatus);
    const Deadline carry = pm.next_deadline_ns();
    ASSERT_TRUE(carry);
    EXPECT_NEAR(static_cast<double>(*carry), (1 << 23) / 3.579545454e6 * 1e9, 300) << "each change of the top bit";
    clock.ns = *carry - 1;
    pm.advance(clock.ns);
    EXPECT_FALSE(sci.high);
    clock.ns = *carry;
    pm.advance(clock.ns);
    EXPECT_TRUE(sci.high);
    EXPECT_FALSE(pm.next_deadline_ns());
    pm.write(kStatus, 2, PowerManagement::kTimerStatus);
    EXPECT_FALSE(sci.high);
    EXPECT_EQ(pm.read(kStatus, 2), 0U);
    EXPECT_NEAR(static_cast<double>(*pm.next_deadline_ns()), 2.0 * static_cast<double>(*carry), 2);
}

TEST_F(Pm, PowerButton) {
    pm.press_power_button();
    EXPECT_FALSE(sci.high) << "not enabled";
    EXPECT_EQ(pm.read(kStatus, 2), PowerManagement::kPowerButton);
    pm.write(kEnable, 2, PowerManagement::kPowerButton);
    EXPECT_TRUE(sci.high);
    pm.write(kStatus, 2, 0);
    EXPECT_TRUE(sci.high) << "ones clear, zeros do nothing";
    pm.write(kStatus, 2, PowerManagement::kPowerButton);
    EXPECT_FALSE(sci.high);
}

TEST_F(Pm, LinuxCanEnableTheRtcEvent) {
    // It was read back as clear: "ACPI Error: Could not enable RealTimeClock event" in every boot.
    pm.write(kEnable, 2, 0x0400);
    EXPECT_EQ(pm.read(kEnable, 2), 0x0400U);
    pm.write(kEnable, 2, 0xFFFF);
    EXPECT_EQ(pm.read(kEnable, 2), 0x0521U) << "and no more than timer, global lock, power button and RTC";
    EXPECT_FALSE(sci.high);
}

TEST_F(Pm, SoftOff) {
    EXPECT_EQ(pm.read(kControl, 2), PowerManagement::kSciEnable) << "always in ACPI mode: the FADT has no SMI command";
    const std::uint32_t type = std::uint32_t{PowerManagement::kSoftOffType} << PowerManagement::kSleepTypeShift;
    // Linux's acpi_hw_legacy_sleep writes the type alone, then type and SLP_EN.
    pm.write(kControl, 2, PowerManagement::kSciEnable | type);
    EXPECT_FALSE(power_off.high);
    pm.write(kControl, 2, PowerManagement::kSciEnable | type | PowerManagement::kSleepEnable);
    EXPECT_TRUE(power_off.high);
    EXPECT_EQ(pm.read(kControl, 2) & PowerManagement::kSleepEnable, 0U) << "write-only";
}

TEST_F(Pm, OtherSleepTypesDoNothing) {
    for (std::uint32_t type = 0; type < 8; ++type) {
        if (type == PowerManagement::kSoftOffType) continue;
        pm.write(kControl, 2, type << PowerManagement::kSleepTypeShift | PowerManagement::kSleepEnable);
        EXPECT_FALSE(power_off.high) << type;
    }
    EXPECT_EQ(pm.read(kControl, 2) & PowerManagement::kSciEnable, PowerManagement::kSciEnable) << "cannot be cleared";
}

TEST_F(Pm, SoftOffByBytes) {
    pm.write(kControl + 1, 1, (std::uint32_t{PowerManagement::kSoftOffType} << 2U) | 0x20U);
    EXPECT_TRUE(power_off.high);
}

TEST_F(Pm, WideReadsAreOneMoment) {
    clock.ns = 123'456'789;
    const std::uint32_t whole = pm.read(kTimer, 4);
    EXPECT_EQ(pm.read(kTimer, 2), whole & 0xFFFFU);
    EXPECT_EQ(pm.read(kTimer + 2, 2), whole >> 16U);
    EXPECT_EQ(pm.read(kEnable, 1), 0U);
    EXPECT_EQ(pm.read(12, 4), 0U);
}

TEST(ResetControl, RisingEdgeOfTheCpuBitResets) {
    FakeLine reset;
    ResetControl control(reset);
    // Linux's reboot=pci: 0x02, then 0x06.
    control.write(0, 1, 0x02);
    EXPECT_EQ(reset.rising, 0U);
    control.write(0, 1, 0x06);
    EXPECT_EQ(reset.rising, 1U);
    control.write(0, 1, 0x06);
    EXPECT_EQ(reset.rising, 1U);
    EXPECT_EQ(control.read(0, 1), 0x06U);
    control.write(0, 1, 0xF0);
    EXPECT_EQ(control.read(0, 1), 0U);
}

TEST(SystemControlPortA, FastA20AndFastReset) {
    FakeLine reset, a20;
    SystemControlPortA port(reset, a20);
    EXPECT_TRUE(a20.high);
    EXPECT_EQ(port.read(0, 1), 0x02U);
    port.write(0, 1, 0x00);
    EXPECT_FALSE(a20.high);
    port.write(0, 1, 0x02); // Linux's boot code: bit 1 set, bit 0 left clear
    EXPECT_TRUE(a20.high);
    EXPECT_EQ(reset.rising, 0U);
    port.write(0, 1, 0x03);
    EXPECT_EQ(reset.rising, 1U);
}

TEST(DebugPorts, ExitAndConsole) {
    DebugExit exit;
    EXPECT_EQ(exit.exit_code(), std::nullopt);
    exit.write(0, 4, 0x1234'5678);
    exit.write(0, 1, 0);
    EXPECT_EQ(exit.exit_code(), 0x1234'5678U) << "the first one counts";

    FakeSink sink;
    DebugConsole console(sink);
    EXPECT_EQ(console.read(0, 1), 0xE9U);
    console.write(0, 1, 'a');
    sink.full = true;
    console.write(0, 1, 'b');
    EXPECT_EQ(sink.text, "a");
    EXPECT_EQ(console.lost(), 1U);
}

} // namespace
} // namespace ringone::devices
