// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "devices/base/crystal.hpp"
#include "devices/i8254/i8254.hpp"
#include "devices/system_control/port_b.hpp"
#include "tests/unit/devices/fakes.hpp"

namespace ringone::devices {
namespace {

constexpr std::uint16_t kLatch250Hz = 4773; ///< Linux's LATCH at HZ=250

struct Pit : testing::Test {
    FakeClock clock;
    FakeLine irq0;
    I8254 pit{clock, irq0};

    void write(std::uint32_t offset, std::uint32_t value) { pit.write(offset, 1, value); }
    std::uint8_t read(std::uint32_t offset) { return static_cast<std::uint8_t>(pit.read(offset, 1)); }
    void load(std::uint32_t counter, std::uint32_t control, std::uint32_t count) {
        write(3, counter << 6U | control);
        write(counter, count & 0xFFU);
        write(counter, count >> 8U);
        irq0.rising = 0; // setting the mode raised OUT, from the low of mode 0
    }
    void at_tick(std::uint64_t tick) {
        clock.ns = TimerFrequency::ns(tick);
        pit.advance(clock.ns);
    }
    std::uint32_t latched(std::uint32_t counter) {
        write(3, counter << 6U);
        const std::uint32_t low = read(counter);
        return low | static_cast<std::uint32_t>(read(counter)) << 8U;
    }
    std::uint8_t status(std::uint32_t counter) {
        write(3, 0xE0U | 1U << (counter + 1U));
        return read(counter);
    }
    /// From deadline to deadline, with a guest that takes each interrupt at once.
    void run_until(std::uint64_t end_ns) {
        while (const Deadline next = pit.next_deadline_ns()) {
            if (*next > end_ns) break;
            clock.ns = std::max(clock.ns, *next);
            pit.advance(clock.ns);
        }
        clock.ns = end_ns;
        pit.advance(end_ns);
    }
};

TEST_F(Pit, Mode2RatesAreExact) {
    load(0, 0x34, kLatch250Hz);
    run_until(60 * kSecond);
    // One tick of tolerance at the end.
    EXPECT_NEAR(irq0.rising, 60.0 * 1193181.818 / kLatch250Hz, 1.0);
    EXPECT_EQ(pit.tick_line().counters().late, 0U);
}

TEST_F(Pit, Mode2CountsDownFromItsCountAndReloads) {
    load(0, 0x34, 1000);
    at_tick(1); // the count is loaded on the next clock
    EXPECT_EQ(latched(0), 1000U);
    at_tick(11);
    EXPECT_EQ(latched(0), 990U);
    at_tick(1000);
    EXPECT_EQ(latched(0), 1U);
    EXPECT_EQ(status(0) & 0x80, 0) << "OUT is low for the last clock";
    at_tick(1001);
    EXPECT_EQ(latched(0), 1000U);
    EXPECT_EQ(irq0.rising, 1U);
    EXPECT_EQ(status(0), 0xB4);
}

TEST_F(Pit, Mode3CountsByTwoAndIsSymmetric) {
    load(0, 0x36, 1000);
    at_tick(1);
    EXPECT_EQ(latched(0), 1000U);
    at_tick(1 + 100);
    EXPECT_EQ(latched(0), 800U);
    EXPECT_EQ(status(0) & 0x80, 0x80);
    at_tick(1 + 500);
    EXPECT_EQ(status(0) & 0x80, 0);
    at_tick(1 + 999);
    EXPECT_EQ(irq0.rising, 0U);
    at_tick(1 + 1000);
    EXPECT_EQ(irq0.rising, 1U);
}

TEST_F(Pit, LatchHoldsUntilItIsRead) {
    load(0, 0x34, 0);
    at_tick(101);
    write(3, 0x00);
    at_tick(201);
    write(3, 0x00); // ignored: the first latch has not been read
    EXPECT_EQ(read(0), (65536 - 100) & 0xFF);
    EXPECT_EQ(read(0), (65536 - 100) >> 8);
    EXPECT_EQ(latched(0), 65536U - 200U);
}

TEST_F(Pit, ReadBackGivesStatusBeforeCount) {
    load(0, 0x34, 5000);
    at_tick(1001);
    write(3, 0xC2); // both of counter 0
    EXPECT_EQ(read(0), 0xB4);
    const std::uint32_t low = read(0);
    EXPECT_EQ(low | static_cast<std::uint32_t>(read(0)) << 8U, 4000U);
}

TEST_F(Pit, NullCountUntilLoaded) {
    write(3, 0x34);
    EXPECT_EQ(status(0) & 0x40, 0x40);
    write(0, 0x10);
    write(0, 0x27);
    EXPECT_EQ(status(0) & 0x40, 0x40);
    clock.ns += kMicrosecond; // the load clock passes
    EXPECT_EQ(status(0) & 0x40, 0);
    write(0, 0x10);
    write(0, 0x27); // a running rate generator takes it at the end of its period
    clock.ns += kMicrosecond;
    EXPECT_EQ(status(0) & 0x40, 0x40);
}

TEST_F(Pit, OneShotsOfLinuxClockEvents) {
    // pit_set_oneshot: mode 4 (0x38) once, then a count an event.
    write(3, 0x38);
    for (const std::uint32_t count : {10'000U, 300U, 0xFFFFU}) {
        const unsigned before = irq0.rising;
        const std::uint64_t start = clock.ns;
        write(0, count & 0xFFU);
        write(0, count >> 8U);
        ASSERT_TRUE(pit.next_deadline_ns());
        run_until(start + TimerFrequency::ns(count - 1));
        EXPECT_EQ(irq0.rising, before) << count;
        run_until(start + TimerFrequency::ns(count + 4));
        EXPECT_EQ(irq0.rising, before + 1) << count;
        run_until(clock.ns + kSecond);
        EXPECT_EQ(irq0.rising, before + 1) << "no second strobe";
        EXPECT_FALSE(pit.next_deadline_ns());
    }
}

TEST_F(Pit, Mode4StrobesLowForOneClock) {
    load(0, 0x38, 1000);
    at_tick(1 + 1000);
    EXPECT_EQ(status(0) & 0x80, 0);
    EXPECT_EQ(irq0.rising, 0U);
    at_tick(1 + 1001);
    EXPECT_EQ(status(0) & 0x80, 0x80);
    EXPECT_EQ(irq0.rising, 1U) << "the strobe's end is the edge";
}

TEST_F(Pit, Mode0InterruptsOnTerminalCountOnce) {
    load(0, 0x30, 1000);
    EXPECT_EQ(status(0) & 0x80, 0);
    at_tick(1000);
    EXPECT_EQ(irq0.rising, 0U);
    at_tick(1001);
    EXPECT_EQ(irq0.rising, 1U);
    at_tick(1'000'000);
    EXPECT_EQ(irq0.rising, 1U);
    EXPECT_FALSE(pit.next_deadline_ns());
}

TEST_F(Pit, ShutdownByAMode0WithoutCount) {
    // pit_shutdown: mode 0, count 0: Linux then lives without the PIT.
    load(0, 0x34, kLatch250Hz);
    run_until(kSecond);
    write(3, 0x30);
    const unsigned before = irq0.rising;
    EXPECT_FALSE(pit.next_deadline_ns());
    run_until(10 * kSecond);
    EXPECT_EQ(irq0.rising, before);
}

TEST_F(Pit, BcdCounts) {
    load(0, 0x35, 0x1000);
    at_tick(1 + 1);
    EXPECT_EQ(latched(0), 0x0999U);
    at_tick(1 + 1000);
    EXPECT_EQ(irq0.rising, 1U);
}

TEST_F(Pit, SingleByteAccess) {
    write(3, 0x14); // low byte only
    write(0, 100);
    at_tick(1 + 30);
    write(3, 0x00);
    EXPECT_EQ(read(0), 70);
    write(3, 0x24); // high byte only
    write(0, 0x02);
    at_tick(31 + 1 + 0x100);
    write(3, 0x00);
    EXPECT_EQ(read(0), 0x01);
}

TEST_F(Pit, ALateHostDeliversEveryTickOfASlowGuest) {
    load(0, 0x34, 11932); // 10 ms
    clock.ns = 95 * kMillisecond;
    pit.advance(clock.ns); // the host slept for nine ticks
    EXPECT_EQ(irq0.rising, 1U);
    EXPECT_EQ(pit.tick_line().backlog(), 8U);
    // Each following look finds the former one acknowledged: the rest comes faster than the timer's own rate.
    run_until(135 * kMillisecond);
    EXPECT_EQ(pit.tick_line().backlog(), 0U);
    EXPECT_EQ(irq0.rising, 13U);
    EXPECT_EQ(pit.tick_line().counters().lost, 0U);
}

TEST_F(Pit, WaitsForAGuestThatHasNotAcknowledged) {
    load(0, 0x34, 11932);
    irq0.is_pending = true;
    run_until(50 * kMillisecond);
    EXPECT_EQ(irq0.rising, 0U);
    EXPECT_GE(pit.tick_line().backlog(), 3U);
    irq0.is_pending = false;
    run_until(100 * kMillisecond);
    EXPECT_EQ(irq0.rising, 9U);
    EXPECT_EQ(pit.tick_line().backlog(), 0U);
}

TEST_F(Pit, TheBacklogIsBounded) {
    load(0, 0x34, 1193); // 1 ms
    clock.ns = 3600 * kSecond;
    pit.advance(clock.ns);
    EXPECT_EQ(pit.tick_line().backlog(), TickLine::kLargestBacklog - 1);
    EXPECT_GT(pit.tick_line().counters().lost, 3'500'000U);
}

TEST_F(Pit, NoBacklogWhileKeptMasked) {
    load(0, 0x34, 11932);
    irq0.is_masked = true;
    run_until(2 * kSecond);
    EXPECT_EQ(pit.tick_line().backlog(), 0U);
}

/// Linux masks the line while it handles a tick: the ticks owed at that moment were forgotten.
TEST_F(Pit, AShortMaskForgetsNothing) {
    load(0, 0x34, 11932); // 10 ms
    clock.ns = 95 * kMillisecond;
    pit.advance(clock.ns);
    irq0.is_masked = true;
    run_until(101 * kMillisecond);
    irq0.is_masked = false;
    run_until(145 * kMillisecond);
    EXPECT_EQ(irq0.rising, 14U);
}

TEST_F(Pit, ALargeBacklogIsTakenFaster) {
    load(0, 0x34, 11932); // 10 ms
    clock.ns = 10 * kSecond + kMillisecond;
    pit.advance(clock.ns); // a thousand owed: at four times the rate they would take 2.5 s
    run_until(clock.ns + kSecond);
    EXPECT_EQ(pit.tick_line().backlog(), 0U);
}

TEST_F(Pit, AGuestThatDoesNotAcknowledgeCostsFewWakeUps) {
    load(0, 0x34, 1193); // 1 ms
    irq0.is_pending = true;
    unsigned turns = 0;
    while (pit.next_deadline_ns().value_or(kSecond) < kSecond && turns < 100'000) {
        clock.ns = std::max(clock.ns, *pit.next_deadline_ns());
        pit.advance(clock.ns);
        ++turns;
    }
    EXPECT_LE(turns, 5'100U) << "the timer's own 1000 and the 4000 of catching up";
}

TEST_F(Pit, TheBacklogStaysInOrderWithAFastTimer) {
    load(0, 0x34, 24); // 20 us: faster than the shortest gap of late ticks allows at four times its rate
    clock.ns = kMillisecond;
    pit.advance(clock.ns);
    const Deadline next = pit.tick_line().next_deadline_ns();
    ASSERT_TRUE(next);
    EXPECT_GE(*next, clock.ns + TickLine::kShortestGapNs);
}

/// Linux calibrates its TSC by counter 2 in mode 0, gated by port 0x61, polling OUT there (pit_calibrate_tsc).
TEST_F(Pit, SpeakerCounterCalibration) {
    SystemControlPortB port_b(clock, pit);
    port_b.write(0, 1, (port_b.read(0, 1) & ~2U) | 1U);
    constexpr std::uint32_t kTicks = 11932; // 10 ms
    load(2, 0x30, kTicks);
    std::uint64_t polls = 0;
    while ((port_b.read(0, 1) & 0x20U) == 0 && ++polls < 1'000'000) clock.ns += 1000;
    EXPECT_NEAR(static_cast<double>(clock.ns), 10e6, 3000);
    EXPECT_EQ(irq0.rising, 0U);
}

TEST_F(Pit, GateStopsTheSpeakerCounter) {
    SystemControlPortB port_b(clock, pit);
    port_b.write(0, 1, 1);
    load(2, 0x30, 10000);
    at_tick(1 + 100);
    port_b.write(0, 1, 0);
    at_tick(5000);
    EXPECT_EQ(latched(2), 9900U);
    port_b.write(0, 1, 1);
    at_tick(5050);
    EXPECT_EQ(latched(2), 9850U);
}

TEST_F(Pit, RefreshBitToggles) {
    SystemControlPortB port_b(clock, pit);
    unsigned toggles = 0;
    std::uint32_t last = port_b.read(0, 1) & 0x10U;
    for (; clock.ns < kMillisecond; clock.ns += 1000) {
        const std::uint32_t now = port_b.read(0, 1) & 0x10U;
        toggles += now != last ? 1U : 0U;
        last = now;
    }
    EXPECT_NEAR(toggles, 66, 1);
    port_b.write(0, 1, 3);
    EXPECT_TRUE(port_b.speaker_enabled());
    EXPECT_EQ(port_b.read(0, 1) & 0xCFU, 3U) << "no NMI status";
}

TEST(Crystal, TicksAndNanosecondsAreInverse) {
    for (const std::uint64_t tick : {0ULL, 1ULL, 2ULL, 1193181ULL, 1ULL << 32U, 1ULL << 44U}) {
        EXPECT_EQ(TimerFrequency::ticks(TimerFrequency::ns(tick)), tick);
        if (tick > 0) { EXPECT_EQ(TimerFrequency::ticks(TimerFrequency::ns(tick) - 1), tick - 1); }
        EXPECT_EQ(PmTimerFrequency::ticks(PmTimerFrequency::ns(tick)), tick);
    }
    EXPECT_EQ(PmTimerFrequency::ticks(kSecond), 3'579'545U);
    EXPECT_EQ(TimerFrequency::ticks(kSecond), 1'193'181U);
}

} // namespace
} // namespace ringone::devices
