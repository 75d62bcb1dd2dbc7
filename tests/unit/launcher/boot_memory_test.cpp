// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "vmm/launcher/boot_memory.hpp"

#include "devices/platform/pc_layout.hpp"
#include "tests/unit/launcher/loader_machine.hpp"

namespace ringone::launcher {
namespace {

class BootMemoryTest : public testing::Test {
protected:
    std::vector<std::uint8_t> ram_ = std::vector<std::uint8_t>(4 * kMiB);
    BootMemory memory_{ram_};
};

TEST_F(BootMemoryTest, FirmwareAndBiosDataAreTaken) {
    EXPECT_TRUE(contains(user_error([&] { memory_.take(0x400, 1, "it"); }), "BIOS data"));
    EXPECT_TRUE(contains(user_error([&] { memory_.take(0x9FC00, 1, "it"); }), "firmware"));
    EXPECT_TRUE(contains(user_error([&] { memory_.take(0xFFFFF, 1, "it"); }), "firmware"));
    memory_.take(0x500, 0x9FC00 - 0x500, "all conventional memory");
    memory_.take(0x100000, 1, "the first byte above");
}

TEST_F(BootMemoryTest, TakenOnceOnly) {
    memory_.take(0x200000, 0x1000, "one");
    memory_.take(0x201000, 0x1000, "its neighbour above");
    memory_.take(0x1FF000, 0x1000, "its neighbour below");
    for (const std::uint64_t at : {0x1FF000, 0x200000, 0x200FFF, 0x201000}) {
        EXPECT_TRUE(contains(user_error([&] { memory_.take(at, 1, "another"); }), "another")) << at;
    }
    EXPECT_TRUE(contains(user_error([&] { memory_.take(0x180000, 0x100000, "a cover"); }), "lies over"));
}

TEST_F(BootMemoryTest, OnlyRamCanBeTaken) {
    memory_.take(4 * kMiB - 1, 1, "the last byte");
    EXPECT_TRUE(contains(user_error([&] { memory_.take(4 * kMiB, 1, "it"); }), "does not fit in 4 MiB"));
    EXPECT_TRUE(contains(user_error([&] { memory_.take(0x200000, 2 * kMiB + 1, "it"); }), "does not fit"));
    // An end above 2^64 must not look like a small one.
    EXPECT_TRUE(
        contains(user_error([&] { memory_.take(0x200000, ~std::uint64_t{0}, "it"); }), "does not fit"));
    memory_.take(8 * kMiB, 0, "nothing");
}

TEST_F(BootMemoryTest, LowestAndHighestPlaces) {
    EXPECT_EQ(memory_.find_lowest(0x1000, 0x1000, 0, 4 * kMiB), 0x1000U);
    EXPECT_EQ(memory_.find_highest(0x1000, 0x1000, 0, 4 * kMiB), 0x3FF000U);
    EXPECT_EQ(memory_.find_highest(0x1001, 0x1000, 0, 4 * kMiB), 0x3FE000U);
    EXPECT_EQ(memory_.find_highest(0x1000, 0x1000, 0, ~std::uint64_t{0}), 0x3FF000U)
        << "above RAM there is nothing";
    memory_.take(0x300000, 0x100000, "the last MiB");
    EXPECT_EQ(memory_.find_highest(0x1000, 0x1000, 0, 4 * kMiB), 0x2FF000U);
    EXPECT_EQ(memory_.find_highest(2 * kMiB, 0x1000, 0, 4 * kMiB), 0x100000U);
    EXPECT_EQ(memory_.find_highest(2 * kMiB + 1, 0x1000, 0, 4 * kMiB), std::nullopt);
    EXPECT_EQ(memory_.find_highest(2 * kMiB, 0x1000, 0x100001, 4 * kMiB), std::nullopt);
    EXPECT_EQ(memory_.find_lowest(0x9FC00 - 0x500 + 1, 1, 0, 4 * kMiB), 0x100000U)
        << "one byte too long below";
    EXPECT_EQ(memory_.find_lowest(2 * kMiB + 1, 1, 0, 4 * kMiB), std::nullopt);
    EXPECT_EQ(memory_.find_lowest(0x1000, 0x1000, 0, 0x1FFF), std::nullopt);
}

TEST_F(BootMemoryTest, LowPlacesHoldWhatWasGiven) {
    const auto first = pattern(100, 1), second = pattern(100, 2);
    const std::uint32_t a = memory_.place_low(first, "first"), b = memory_.place_low(second, "second");
    EXPECT_TRUE(std::equal(first.begin(), first.end(), ram_.begin() + a));
    EXPECT_TRUE(std::equal(second.begin(), second.end(), ram_.begin() + b));
    EXPECT_LE(b + 100, BootMemory::kConventionalEnd);
    const std::vector<std::uint8_t> large(0xA0000);
    EXPECT_TRUE(contains(user_error([&] { (void)memory_.place_low(large, "much"); }),
                         "no room below 640 KiB for much"));
}

TEST_F(BootMemoryTest, MapReservesEbdaAndFirmware) {
    const auto map = memory_.map();
    ASSERT_EQ(map.size(), 4U);
    const auto is = [&](std::size_t i, std::uint64_t base, std::uint64_t end, std::uint32_t type) {
        EXPECT_EQ(map[i].base, base) << i;
        EXPECT_EQ(map[i].base + map[i].bytes, end) << i;
        EXPECT_EQ(map[i].type, type) << i;
    };
    is(0, 0, 0x9FC00, MemoryRange::kUsable);
    is(1, 0x9FC00, 0xA0000, MemoryRange::kReserved);
    is(2, devices::pc::kFirmwareFirst, devices::pc::kFirmwareLast + 1, MemoryRange::kReserved);
    is(3, 0x100000, 4 * kMiB, MemoryRange::kUsable);
}

} // namespace
} // namespace ringone::launcher
