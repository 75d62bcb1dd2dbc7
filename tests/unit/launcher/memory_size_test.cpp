// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "vmm/launcher/memory_size.hpp"

#include "devices/platform/pc_layout.hpp"
#include "tests/unit/launcher/loader_machine.hpp"

namespace ringone::launcher {
namespace {

constexpr std::uint64_t kGiB = 1024 * kMiB;

TEST(MemorySize, Suffixes) {
    EXPECT_EQ(parse_size("64M", "-m"), 64 * kMiB);
    EXPECT_EQ(parse_size("64m", "-m"), 64 * kMiB);
    EXPECT_EQ(parse_size("64", "-m"), 64 * kMiB);
    EXPECT_EQ(parse_size("1G", "-m"), kGiB);
    EXPECT_EQ(parse_size("4g", "-m"), 4 * kGiB);
    EXPECT_EQ(parse_size("8192K", "-m"), 8 * kMiB);
    EXPECT_EQ(parse_size("4k", "-m"), 4096U);
}

TEST(MemorySize, NotASize) {
    for (const char* text : {"", "M", "64X", "64MB", "64 M", " 64M", "-64M", "+64M", "0x40M", "1.5G", "64M64",
                             "many", "99999999999999999999", "99999999999999999999M"}) {
        const std::string error = user_error([&] { (void)parse_size(text, "-m"); });
        EXPECT_TRUE(contains(error, std::string("-m ") + text + ": not a size like 64M or 1G"));
    }
}

TEST(MemorySize, MoreThan32BitsOrPartsOfPages) {
    EXPECT_TRUE(
        contains(user_error([] { (void)parse_size("5G", "-m"); }), "-m 5G: more than a 32-bit machine"));
    EXPECT_TRUE(contains(user_error([] { (void)parse_size("4097M", "--zone"); }), "--zone 4097M: more than"));
    EXPECT_TRUE(
        contains(user_error([] { (void)parse_size("18014398509481985K", "-m"); }), "more than a 32-bit"))
        << "2^64 + 1 KiB is not 1 KiB";
    EXPECT_TRUE(contains(user_error([] { (void)parse_size("5K", "-m"); }), "not a multiple of 4 KiB"));
}

TEST(MemorySize, MemoryBounds) {
    EXPECT_EQ(checked_memory_size(2 * kMiB, vmm::kDefaultZoneLimit), 2 * kMiB);
    EXPECT_TRUE(
        contains(user_error([] { (void)checked_memory_size(2 * kMiB - 4096, vmm::kDefaultZoneLimit); }),
                 "the least is 2 MiB"));
    EXPECT_TRUE(
        contains(user_error([] { (void)checked_memory_size(0, vmm::kDefaultZoneLimit); }), "too small"));
    EXPECT_EQ(checked_memory_size(devices::pc::kPciMemoryFirst, vmm::kDefaultZoneLimit), 3584 * kMiB);
    EXPECT_TRUE(contains(user_error([] {
                             (void)checked_memory_size(devices::pc::kPciMemoryFirst + 4096,
                                                       vmm::kDefaultZoneLimit);
                         }),
                         "the most is 3584 MiB"));
    EXPECT_EQ(checked_memory_size(3 * kGiB, 0xC0000000), 3 * kGiB);
    EXPECT_TRUE(
        contains(user_error([] { (void)checked_memory_size(3 * kGiB + 4096, 0xC0000000); }), "3072 MiB"))
        << "the zone may begin below the PCI addresses";
}

TEST(MemorySize, ZoneBounds) {
    EXPECT_EQ(checked_zone_limit(4 * kMiB), vmm::kDefaultZoneLimit);
    EXPECT_EQ(checked_zone_limit(64 * kMiB), 0xFC000000U);
    EXPECT_EQ(checked_zone_limit(kGiB), 0xC0000000U);
    EXPECT_TRUE(contains(user_error([] { (void)checked_zone_limit(4 * kMiB - 4096); }), "--zone"));
    EXPECT_TRUE(contains(user_error([] { (void)checked_zone_limit(kGiB + 4096); }), "4 MiB to 1024 MiB"));
}

TEST(MemorySize, ReservetopForALargerZone) {
    EXPECT_EQ(linux_command_line("console=ttyS0", vmm::kDefaultZoneLimit), "console=ttyS0");
    EXPECT_EQ(linux_command_line("", vmm::kDefaultZoneLimit), "");
    EXPECT_EQ(linux_command_line("console=ttyS0", 0xFC000000), "console=ttyS0 reservetop=0x4000000");
    EXPECT_EQ(linux_command_line("", 0xFC000000), "reservetop=0x4000000");
    EXPECT_EQ(linux_command_line("reservetop=128M quiet", 0xFC000000), "reservetop=128M quiet");
    EXPECT_EQ(linux_command_line("quiet reservetop=128M", 0xFC000000), "quiet reservetop=128M");
    EXPECT_EQ(linux_command_line("noreservetop=1", 0xFC000000), "noreservetop=1 reservetop=0x4000000")
        << "only a word of its own is Linux's parameter";
}

} // namespace
} // namespace ringone::launcher
