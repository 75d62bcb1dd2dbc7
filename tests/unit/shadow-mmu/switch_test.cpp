// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
//
// What a switch of address spaces costs: calls of the hardware, reads of the guest's tables and, printed only, cycles.
#include "shadow-mmu/shadow_mmu.hpp"
#include "tests/unit/shadow-mmu/fake_memory.hpp"
#include "tests/unit/shadow-mmu/recording_hardware.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <vector>
#include <x86intrin.h>

namespace ringone::mmu::test {
namespace {

constexpr std::uint32_t kRamPages = 64 * 512; // 128 MiB
constexpr std::uint32_t kKernelArea = 1536;   // 3 GiB
constexpr std::uint32_t kLargeAreas = 60;     // of the kernel's direct map
constexpr std::uint32_t kUserArea = 64;
constexpr std::uint64_t kTableFlags = 0x63; // present, writable, accessed, dirty
constexpr std::uint64_t kUser = 4;
constexpr std::uint64_t kLarge = 0x80;

/// Two processes of a PAE kernel without global pages, as with page-table isolation: the kernel half is the same in
/// both, but in directories of their own; below it each has pages of its own at the same addresses.
class SwitchTest : public ::testing::Test {
protected:
    explicit SwitchTest(ShadowConfig config = {.ram_pages = kRamPages}) : config_(config) {
        for (std::uint64_t process = 0; process < 2; ++process) {
            const std::uint64_t user_directory = page(8 + process);
            const std::uint64_t kernel_directory = page(10 + process);
            memory_.write64(root(process), user_directory | 1);
            memory_.write64(root(process) + 24, kernel_directory | 1);
            for (std::uint64_t i = 0; i < kLargeAreas; ++i) {
                memory_.write64(kernel_directory + i * 8, i << 21 | kTableFlags | kLarge);
            }
            // One table of small pages for both, every other one in RAM order: many runs.
            memory_.write64(kernel_directory + kLargeAreas * 8, page(12) | kTableFlags);
            memory_.write64(user_directory + kUserArea * 8, page(14 + process) | kTableFlags | kUser);
            for (std::uint64_t i = 0; i < 16; ++i) {
                memory_.write64(page(14 + process) + i * 8, page(1024 + process * 64 + i) | kTableFlags | kUser);
            }
        }
        for (std::uint64_t i = 0; i < 512; ++i) memory_.write64(page(12) + i * 8, page(2048 + (i ^ 1)) | kTableFlags);
        enter(0);
    }

    static std::uint64_t page(std::uint64_t number) { return number << kPageShift; }
    static std::uint64_t root(std::uint64_t process) { return page(1) + process * 32; }

    void enter(std::uint64_t process) {
        const ControlRegisters registers{.cr0 = cr0::kPg | cr0::kWp, .cr3 = static_cast<std::uint32_t>(root(process)),
                                         .cr4 = cr4::kPae, .efer = efer::kNxe};
        ASSERT_TRUE(mmu_.load_control(registers, {.flush_global = false, .load_pdptes = true}));
    }
    /// Touches pages until the hardware has all that it needs of them.
    void touch(std::uint32_t first, std::uint32_t pages) {
        for (std::uint32_t i = first; i < first + pages; ++i) {
            const Access write{.type = AccessType::write};
            if (!hardware_.allows(i, write)) {
                ASSERT_EQ(mmu_.on_fault({i << kPageShift}, write).kind, FaultResult::Kind::mapped);
            }
        }
    }
    void touch_kernel() { touch(kKernelArea * 512, (kLargeAreas + 1) * 512); }
    void touch_user() { touch(kUserArea * 512, 16); }

    ShadowConfig config_;
    FakeMemory memory_{kRamPages, 0};
    SingleSpace hardware_{kLinearPages, kRamPages};
    std::vector<std::byte> arena_ = std::vector<std::byte>(ShadowMmu<FakeMemory, SingleSpace>::arena_bytes(config_));
    ShadowMmu<FakeMemory, SingleSpace> mmu_{config_, memory_, hardware_, arena_};
};

/// A kernel without global pages stayed mapped only where the next space had been in it before: PAE kernels took three
/// times the faults that 2-level ones take.
TEST_F(SwitchTest, WhatBothSpacesMapStaysMapped) {
    touch_kernel();
    touch_user();
    const std::uint64_t faults = mmu_.counters().hidden_faults;
    const HardwareCalls before = hardware_.calls;
    enter(1);
    touch_kernel();
    EXPECT_EQ(mmu_.counters().hidden_faults, faults);
    EXPECT_EQ(hardware_.calls.map, before.map);
    EXPECT_EQ(hardware_.calls.protect, before.protect);
    EXPECT_EQ(hardware_.calls.unmap, before.unmap + 1) << "the user's pages, as one run";
    EXPECT_FALSE(hardware_.page(kUserArea * 512).mapped());
}

/// Not what the next space maps otherwise, or not at all.
TEST_F(SwitchTest, WhatTheNextSpaceDoesNotMapGoes) {
    touch_kernel();
    memory_.write64(page(11), 0);                                  // the first large page is not there
    memory_.write64(page(11) + 8, 3ULL << 21 | kTableFlags | kLarge); // the second one is another
    memory_.write64(page(11) + 16, 2ULL << 21 | (kTableFlags & ~2ULL) | kLarge); // the third one may only be read
    enter(1);
    for (std::uint32_t i = 0; i < 3; ++i) EXPECT_FALSE(hardware_.page((kKernelArea + i) * 512 + 7).mapped()) << i;
    EXPECT_TRUE(hardware_.page((kKernelArea + 3) * 512 + 7).mapped());
}

class EagerSwitchTest : public SwitchTest {
protected:
    static constexpr std::uint32_t kEntries = 3;
    EagerSwitchTest() : SwitchTest({.ram_pages = kRamPages, .eager_runs = 4, .eager_entries = kEntries}) {}
    [[nodiscard]] bool user_mapped() { return hardware_.page(kUserArea * 512).mapped(); }
};

/// Two programs that pass a byte to and fro faulted on the same three pages at each turn.
TEST_F(EagerSwitchTest, WhatASpaceFaultedOnComesBackWithIt) {
    touch_user(); // the space has been entered once
    enter(1);
    EXPECT_FALSE(user_mapped()) << "it has not faulted yet";
    touch_user();
    enter(0);
    EXPECT_TRUE(user_mapped());
    EXPECT_EQ(hardware_.page(kUserArea * 512).ram, 1024U);
    enter(1);
    EXPECT_EQ(hardware_.page(kUserArea * 512).ram, 1024U + 64U);
    EXPECT_EQ(mmu_.counters().eager_maps, 2U);
}

/// Else what a program used once would come back for ever.
TEST_F(EagerSwitchTest, ItHasToFaultAgainNowAndThen) {
    touch_user();
    for (std::uint32_t entry = 2; entry < kEntries; ++entry) {
        enter(1);
        enter(0);
        EXPECT_TRUE(user_mapped()) << entry;
    }
    enter(1);
    enter(0);
    EXPECT_FALSE(user_mapped());
    touch_user();
    enter(1);
    enter(0);
    EXPECT_TRUE(user_mapped());
}

TEST_F(SwitchTest, Cost) {
    constexpr std::uint32_t kRounds = 200;
    touch_kernel();
    enter(1);
    touch_kernel();
    std::vector<std::uint64_t> cycles;
    const std::uint64_t reads = memory_.reads;
    for (std::uint32_t round = 0; round < kRounds; ++round) {
        const std::uint64_t begin = __rdtsc();
        enter(round % 2);
        cycles.push_back(__rdtsc() - begin);
    }
    std::nth_element(cycles.begin(), cycles.begin() + kRounds / 2, cycles.end());
    std::cout << "a CR3 load with " << kLargeAreas << " large and 512 small kernel pages in both spaces: "
              << cycles[kRounds / 2] << " cycles\n";
    EXPECT_EQ(mmu_.counters().pages_dropped, 0U);
    EXPECT_EQ(mmu_.counters().pages_moved, std::uint64_t{kRounds + 1} * (kLargeAreas + 1) * 512);
    // PDPTEs, an entry for each large page (and for the table), and those of the small pages: nothing twice.
    EXPECT_EQ((memory_.reads - reads) / kRounds, kPdptes + kLargeAreas + 1 + 512);
}

} // namespace
} // namespace ringone::mmu::test
