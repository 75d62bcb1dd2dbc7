// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "devices/base/ring_buffer.hpp"
#include "devices/bus/bus.hpp"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace ringone::devices {
namespace {

struct Recorder final : RegisterBlock {
    explicit Recorder(std::uint32_t width) : widest(width) {}
    std::uint32_t widest;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> reads;               ///< offset, size
    std::vector<std::pair<std::uint32_t, std::uint32_t>> writes;              ///< offset, value

    [[nodiscard]] std::uint32_t widest_access() const override { return widest; }
    [[nodiscard]] std::uint32_t read(std::uint32_t offset, std::uint32_t size) override {
        reads.emplace_back(offset, size);
        return 0xD0C0'B0A0U + offset;
    }
    void write(std::uint32_t offset, std::uint32_t, std::uint32_t value) override { writes.emplace_back(offset, value); }
};

using Pairs = std::vector<std::pair<std::uint32_t, std::uint32_t>>;

TEST(Bus, OverlapIsAnErrorThatNamesBoth) {
    Bus bus(Bus::kPortSpaceBytes);
    Recorder a(1), b(1);
    EXPECT_EQ(bus.attach("timer", 0x40, 4, a), std::nullopt);
    for (const auto& [first, bytes] : {std::pair{0x43U, 1U}, {0x3FU, 2U}, {0x00U, 0x100U}, {0x41U, 1U}}) {
        const auto error = bus.attach("other", first, bytes, b);
        ASSERT_TRUE(error) << first;
        EXPECT_NE(error->find("other"), std::string::npos);
        EXPECT_NE(error->find("timer at 0x40 (0x4 bytes)"), std::string::npos) << *error;
    }
    EXPECT_EQ(bus.attach("below", 0x3F, 1, b), std::nullopt);
    EXPECT_EQ(bus.attach("above", 0x44, 1, b), std::nullopt);
    EXPECT_TRUE(bus.claimed(0x43));
    EXPECT_FALSE(bus.claimed(0x45));
}

TEST(Bus, RangesOutsideTheSpaceAreErrors) {
    Bus bus(Bus::kPortSpaceBytes);
    Recorder a(1);
    EXPECT_TRUE(bus.attach("empty", 0x10, 0, a));
    EXPECT_TRUE(bus.attach("outside", 0x1'0000, 1, a));
    EXPECT_TRUE(bus.attach("leaves", 0xFFFF, 2, a));
    EXPECT_TRUE(bus.attach("wraps", 0x10, ~0ULL, a));
    EXPECT_EQ(bus.attach("last", 0xFFFF, 1, a), std::nullopt);
}

TEST(Bus, UnclaimedReadsAreOnesAndAreCounted) {
    Bus bus(Bus::kPortSpaceBytes);
    EXPECT_EQ(bus.read(0x3F8, 1), 0xFFU);
    EXPECT_EQ(bus.read(0x3F8, 2), 0xFFFFU);
    EXPECT_EQ(bus.read(0xFFFF, 4), 0xFFFF'FFFFU);
    bus.write(0x80, 2, 0);
    EXPECT_EQ(bus.counters().unclaimed_reads, 7U);
    EXPECT_EQ(bus.counters().unclaimed_writes, 2U);
}

TEST(Bus, WideAccessesAreSplitForNarrowDevices) {
    Bus bus(Bus::kPortSpaceBytes);
    Recorder narrow(1), wide(4);
    ASSERT_EQ(bus.attach("narrow", 0x100, 4, narrow), std::nullopt);
    ASSERT_EQ(bus.attach("wide", 0x200, 8, wide, 16), std::nullopt);
    EXPECT_EQ(bus.read(0x100, 4), 0xA3A2A1A0U);
    EXPECT_EQ(narrow.reads, (Pairs{{0, 1}, {1, 1}, {2, 1}, {3, 1}}));
    bus.write(0x101, 2, 0xBEEF);
    EXPECT_EQ(narrow.writes, (Pairs{{1, 0xEF}, {2, 0xBE}}));
    EXPECT_EQ(bus.read(0x202, 4), 0xD0C0'B0A0U + 18);
    EXPECT_EQ(wide.reads, (Pairs{{18, 4}}));
    bus.write(0x206, 4, 0x44332211); // half of it is nobody's
    EXPECT_EQ(wide.writes, (Pairs{{22, 0x2211}}));
    EXPECT_EQ(bus.counters().unclaimed_writes, 2U);
}

TEST(Bus, AnAccessAcrossTwoDevicesReachesBoth) {
    Bus bus(Bus::kPortSpaceBytes);
    Recorder a(4), b(4);
    ASSERT_EQ(bus.attach("a", 0x10, 1, a), std::nullopt);
    ASSERT_EQ(bus.attach("b", 0x11, 1, b), std::nullopt);
    EXPECT_EQ(bus.read(0x10, 2), 0xA0A0U);
    EXPECT_EQ(a.reads, (Pairs{{0, 1}}));
    EXPECT_EQ(b.reads, (Pairs{{0, 1}}));
}

TEST(RingBuffer, KeepsOrderAroundItsEnd) {
    RingBuffer<int, 4> buffer;
    for (int round = 0; round < 10; ++round) {
        for (int i = 0; i < 3; ++i) { ASSERT_TRUE(buffer.push(round * 10 + i)); }
        for (int i = 0; i < 3; ++i) { ASSERT_EQ(buffer.pop(), round * 10 + i); }
    }
    for (int i = 0; i < 4; ++i) { ASSERT_TRUE(buffer.push(i)); }
    EXPECT_FALSE(buffer.push(4));
    EXPECT_EQ(buffer.back(), 3);
    EXPECT_TRUE(buffer.any_of([](int i) { return i == 3; }));
    EXPECT_FALSE(buffer.any_of([](int i) { return i == 4; }));
}

} // namespace
} // namespace ringone::devices
