// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "devices/mc146818/mc146818.hpp"
#include "devices/mc146818/registers.hpp"
#include "tests/unit/devices/fakes.hpp"

namespace ringone::devices {
namespace {

using namespace rtc;

struct Rtc : testing::Test {
    FakeClock clock;
    FakeLine irq8;
    Mc146818 rtc{clock, clock, irq8};

    void write(std::uint32_t index, std::uint32_t value) {
        rtc.write(0, 1, index);
        rtc.write(1, 1, value);
    }
    std::uint8_t read(std::uint32_t index) {
        rtc.write(0, 1, index);
        return static_cast<std::uint8_t>(rtc.read(1, 1));
    }
    std::vector<unsigned> time() {
        std::vector<unsigned> values;
        for (const std::uint32_t index : {kCmosCentury, kYear, kMonth, kDayOfMonth, kHours, kMinutes, kSeconds})
            values.push_back(read(index));
        return values;
    }
    unsigned run_until(std::uint64_t end) {
        unsigned turns = 0;
        while (const Deadline next = rtc.next_deadline_ns()) {
            if (*next > end) break;
            clock.ns = std::max(clock.ns, *next);
            rtc.advance(clock.ns);
            if (++turns > 100'000) {
                ADD_FAILURE() << "the deadline does not move on";
                break;
            }
        }
        clock.ns = end;
        rtc.advance(end);
        return turns;
    }
};

using Time = std::vector<unsigned>;

TEST_F(Rtc, ShowsTheHostsTimeInBcd) {
    EXPECT_EQ(time(), (Time{0x20, 0x26, 0x03, 0x01, 0x12, 0x34, 0x56}));
    EXPECT_EQ(read(kDayOfWeek), 1) << "a Sunday";
    EXPECT_EQ(read(kRegisterB), kB24Hours);
    EXPECT_EQ(read(kRegisterD), kDValid);
    clock.ns = 4 * kSecond;
    EXPECT_EQ(time(), (Time{0x20, 0x26, 0x03, 0x01, 0x12, 0x35, 0x00}));
}

TEST_F(Rtc, BinaryAndTwelveHourModes) {
    write(kRegisterB, kBBinary | kB24Hours);
    EXPECT_EQ(time(), (Time{20, 26, 3, 1, 12, 34, 56}));
    write(kRegisterB, 0);
    EXPECT_EQ(read(kHours), 0x92) << "12 PM";
    clock.ns = 3600 * kSecond;
    EXPECT_EQ(read(kHours), 0x81);
    clock.ns = 12 * 3600 * kSecond;
    EXPECT_EQ(read(kHours), 0x12) << "12 AM";
    clock.ns = 13 * 3600 * kSecond;
    EXPECT_EQ(read(kHours), 0x01);
}

TEST_F(Rtc, UpdateInProgressGoesBeforeTheSecond) {
    // Linux's mc146818_avoid_UIP: with UIP clear there are 244 us to read a consistent time.
    clock.ns = kSecond - 2'300 * kMicrosecond;
    EXPECT_EQ(read(kRegisterA) & 0x80, 0);
    clock.ns = kSecond - 2'000 * kMicrosecond;
    EXPECT_EQ(read(kRegisterA) & 0x80, 0x80);
    EXPECT_EQ(read(kSeconds), 0x56);
    clock.ns = kSecond;
    EXPECT_EQ(read(kRegisterA) & 0x80, 0);
    EXPECT_EQ(read(kSeconds), 0x57);
}

TEST_F(Rtc, SettingTheTimeKeepsItRunning) {
    // mc146818_set_time: SET, divider reset, the fields, divider on, SET off.
    const std::uint8_t b = read(kRegisterB), a = read(kRegisterA);
    write(kRegisterB, b | kBSet);
    write(kRegisterA, 0x70);
    for (const auto& [index, value] : {std::pair{kYear, 0x31U}, {kMonth, 0x12U}, {kDayOfMonth, 0x31U}, {kHours, 0x23U},
                                       {kMinutes, 0x59U}, {kSeconds, 0x58U}, {kCmosCentury, 0x20U}})
        write(index, value);
    clock.ns += 5 * kSecond;
    EXPECT_EQ(read(kSeconds), 0x58) << "inhibited";
    write(kRegisterA, a);
    write(kRegisterB, b);
    clock.ns += 499 * kMillisecond;
    EXPECT_EQ(read(kSeconds), 0x58);
    clock.ns += 2 * kMillisecond; // the first update comes half a second after the divider's reset
    EXPECT_EQ(read(kSeconds), 0x59);
    clock.ns += kSecond;
    EXPECT_EQ(time(), (Time{0x20, 0x32, 0x01, 0x01, 0x00, 0x00, 0x00}));
    EXPECT_EQ(read(kDayOfWeek), 5) << "Thursday";
}

TEST_F(Rtc, LeapDay) {
    write(kRegisterB, kB24Hours | kBSet);
    for (const auto& [index, value] : {std::pair{kYear, 0x28U}, {kMonth, 0x02U}, {kDayOfMonth, 0x28U}, {kHours, 0x23U},
                                       {kMinutes, 0x59U}, {kSeconds, 0x59U}})
        write(index, value);
    write(kRegisterB, kB24Hours);
    clock.ns += kSecond;
    EXPECT_EQ(time(), (Time{0x20, 0x28, 0x02, 0x29, 0x00, 0x00, 0x00}));
}

TEST_F(Rtc, UpdateEndedInterruptEachSecond) {
    write(kRegisterB, kB24Hours | kUpdateEnded);
    EXPECT_EQ(read(kRegisterC), 0);
    unsigned interrupts = 0;
    for (unsigned i = 0; i < 5; ++i) {
        run_until((i + 1) * kSecond);
        interrupts += irq8.high ? 1U : 0U;
        EXPECT_EQ(read(kRegisterC) & ~kPeriodic, kCInterruptRequest | kUpdateEnded);
        EXPECT_FALSE(irq8.high) << "reading C releases the line";
        EXPECT_EQ(read(kRegisterC), 0);
    }
    EXPECT_EQ(interrupts, 5U);
}

TEST_F(Rtc, NoDeadlineWithoutAnInterruptToMake) {
    EXPECT_FALSE(rtc.next_deadline_ns());
    write(kRegisterB, kB24Hours | kUpdateEnded);
    EXPECT_TRUE(rtc.next_deadline_ns());
    run_until(10 * kSecond); // nobody reads C
    EXPECT_FALSE(rtc.next_deadline_ns());
    EXPECT_EQ(irq8.rising, 1U);
}

TEST_F(Rtc, AlarmAtItsTime) {
    write(kHoursAlarm, 0x12);
    write(kMinutesAlarm, 0x35);
    write(kSecondsAlarm, 0x10);
    write(kRegisterB, kB24Hours | kAlarm);
    run_until(13 * kSecond);
    EXPECT_FALSE(irq8.high);
    run_until(14 * kSecond);
    EXPECT_TRUE(irq8.high);
    EXPECT_EQ(read(kRegisterC) & kAlarm, kAlarm);
}

TEST_F(Rtc, AlarmDontCareFields) {
    write(kHoursAlarm, 0xFF);
    write(kMinutesAlarm, 0xC0);
    write(kSecondsAlarm, 0x00);
    write(kRegisterB, kB24Hours | kAlarm);
    unsigned alarms = 0;
    for (unsigned i = 0; i < 180; ++i) {
        run_until((i + 1) * kSecond);
        alarms += (read(kRegisterC) & kAlarm) != 0 ? 1U : 0U;
    }
    EXPECT_EQ(alarms, 3U);
}

TEST_F(Rtc, AnAlarmSleptThroughStillComes) {
    write(kHoursAlarm, 0x13);
    write(kMinutesAlarm, 0x00);
    write(kSecondsAlarm, 0x00);
    write(kRegisterB, kB24Hours | kAlarm);
    clock.ns = 2 * 3600 * kSecond;
    rtc.advance(clock.ns);
    EXPECT_TRUE(irq8.high);
}

TEST_F(Rtc, PeriodicInterruptAt1024Hz) {
    write(kRegisterA, 0x26);
    write(kRegisterB, kB24Hours | kPeriodic);
    read(kRegisterC);
    unsigned interrupts = 0;
    while (clock.ns < kSecond) {
        const Deadline next = rtc.next_deadline_ns();
        ASSERT_TRUE(next);
        ASSERT_GT(*next, clock.ns);
        clock.ns = *next;
        rtc.advance(clock.ns);
        if (clock.ns <= kSecond) interrupts += (read(kRegisterC) & kPeriodic) != 0 ? 1U : 0U;
    }
    EXPECT_EQ(interrupts, 1024U);
}

TEST_F(Rtc, PeriodicRates) {
    const std::pair<unsigned, double> rates[] = {{1, 256}, {2, 128}, {3, 8192}, {8, 256}, {15, 2}};
    for (const auto& [rate, hz] : rates) {
        write(kRegisterA, 0x20U | rate);
        write(kRegisterB, kB24Hours | kPeriodic);
        read(kRegisterC);
        const std::uint64_t first = *rtc.next_deadline_ns();
        clock.ns = first;
        rtc.advance(first);
        read(kRegisterC);
        EXPECT_NEAR(static_cast<double>(*rtc.next_deadline_ns() - first), 1e9 / hz, 2) << rate;
    }
    write(kRegisterA, 0x20);
    EXPECT_FALSE(rtc.next_deadline_ns()) << "rate 0 is none";
}

TEST_F(Rtc, FlagsAreSetWithoutBeingEnabled) {
    clock.ns = 2 * kSecond;
    EXPECT_EQ(read(kRegisterC), kPeriodic | kUpdateEnded);
    EXPECT_EQ(irq8.rising, 0U);
}

TEST_F(Rtc, FollowsAStepOfTheHostsClock) {
    clock.wall_step_ns = 3600LL * static_cast<std::int64_t>(kSecond);
    EXPECT_EQ(read(kHours), 0x13);
    clock.wall_step_ns = 0;
    EXPECT_EQ(read(kHours), 0x12);
}

TEST_F(Rtc, MemorySizeInCmos) {
    const auto word = [&](std::uint32_t index) { return read(index) | read(index + 1) << 8; };
    rtc.set_memory_size(256ULL << 20U);
    EXPECT_EQ(word(kCmosBaseMemoryLow), 640);
    EXPECT_EQ(word(kCmosExtendedLow), 0xFFFF);
    EXPECT_EQ(word(kCmosExtendedAgainLow), 0xFFFF);
    EXPECT_EQ(word(kCmosAbove16MibLow), 240 * 16);
    rtc.set_memory_size(8ULL << 20U);
    EXPECT_EQ(word(kCmosExtendedLow), 7 * 1024);
    EXPECT_EQ(word(kCmosAbove16MibLow), 0);
    unsigned sum = 0;
    for (std::uint32_t i = kCmosChecksumFirst; i <= kCmosChecksumLast; ++i) sum += read(i);
    EXPECT_EQ(sum, static_cast<unsigned>(read(kCmosChecksumHigh) << 8 | read(kCmosChecksumLow)));
}

TEST_F(Rtc, CmosIsMemoryAndTheNmiMaskIsNoAddress) {
    write(0x80 | 0x40, 0xA5);
    EXPECT_EQ(read(0x40), 0xA5);
    write(kRegisterD, 0);
    EXPECT_EQ(read(kRegisterD), kDValid) << "read-only";
}

TEST_F(Rtc, AnyRegisterContentIsATime) {
    for (unsigned value = 0; value < 256; ++value) {
        for (const std::uint32_t index : {kSeconds, kMinutes, kHours, kDayOfMonth, kMonth, kYear, kCmosCentury})
            write(index, value);
        clock.ns += kSecond;
        rtc.advance(clock.ns);
        EXPECT_LE(read(kMonth), 0x12);
        EXPECT_LE(read(kSeconds), 0x59);
    }
}

TEST(Calendar, RoundTrip) {
    for (std::int64_t t = -4'000'000'000; t < 8'000'000'000; t += 86'399 * 7) {
        const CalendarTime time = calendar_from_seconds(t);
        ASSERT_EQ(seconds_from_calendar(time), t);
    }
    EXPECT_EQ(calendar_from_seconds(0), (CalendarTime{1970, 1, 1, 0, 0, 0, 5}));
    EXPECT_EQ(calendar_from_seconds(951'827'696), (CalendarTime{2000, 2, 29, 12, 34, 56, 3}));
}

} // namespace
} // namespace ringone::devices
