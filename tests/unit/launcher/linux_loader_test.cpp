// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "tests/unit/launcher/loader_machine.hpp"

namespace ringone::launcher {
namespace {

// The offsets are those of Linux Documentation/arch/x86/boot.rst and zero-page.rst, written here once more on
// purpose.
constexpr std::uint32_t kSetupBytes = 0x800;
constexpr std::uint32_t kCodeBytes = 0x3000;

/// A bzImage of protocol 2.15 as Debian's are: loaded at 1 MiB, unpacks itself to 16 MiB and some.
std::vector<std::uint8_t> bzimage() {
    std::vector<std::uint8_t> file = pattern(kSetupBytes + kCodeBytes, 9);
    const auto set = [&](std::size_t offset, auto value) { set_little(std::span(file), offset, value); };
    set(0x1F1, std::uint8_t{kSetupBytes / 512 - 1});
    set(0x1F4, std::uint32_t{kCodeBytes / 16});
    set(0x1FE, std::uint16_t{0xAA55});
    set(0x201, std::uint8_t{0x66}); // the header ends at 0x268
    set(0x202, std::uint32_t{0x53726448});
    set(0x206, std::uint16_t{0x020F});
    set(0x210, std::uint8_t{0});
    set(0x211, std::uint8_t{0x01});
    set(0x214, std::uint32_t{0x100000});
    set(0x218, std::uint32_t{0});
    set(0x21C, std::uint32_t{0});
    set(0x228, std::uint32_t{0});
    set(0x22C, std::uint32_t{0x7FFFFFFF});
    set(0x236, std::uint16_t{0});
    set(0x238, std::uint32_t{2047});
    set(0x258, std::uint64_t{0x1000000});
    set(0x260, std::uint32_t{0x800000});
    return file;
}

template <typename T>
std::vector<std::uint8_t> bzimage_with(std::size_t offset, T value) {
    std::vector<std::uint8_t> file = bzimage();
    set_little(std::span(file), offset, value);
    return file;
}

TEST(LinuxLoader, EntryAndCode) {
    LoaderMachine machine(bzimage());
    const EntryState entry = machine.load();
    EXPECT_EQ(entry.eip, 0x100000U);
    EXPECT_EQ(entry.ebx, 0U) << "boot.rst: EBP, EDI and EBX must be zero";
    EXPECT_GE(entry.esi, 0x500U);
    EXPECT_LE(entry.esi + 4096, 0x9FC00U);
    const std::vector<std::uint8_t> code(machine.kernel.begin() + kSetupBytes, machine.kernel.end());
    EXPECT_EQ(machine.bytes(0x100000, kCodeBytes), code);
}

TEST(LinuxLoader, ZeroPage) {
    LoaderMachine machine(bzimage());
    machine.command_line = "console=ttyS0 quiet";
    const std::uint32_t page = machine.load().esi;
    // Before the header all is zero but the number of E820 entries; after it but the E820 table.
    for (std::uint32_t i = 0; i < 0x1F1; ++i) EXPECT_EQ(machine.ram[page + i], i == 0x1E8 ? 4 : 0) << i;
    for (std::uint32_t i = 0x268; i < 4096; ++i) {
        if (i < 0x2D0 || i >= 0x2D0 + 4 * 20) {
            EXPECT_EQ(machine.ram[page + i], 0) << i;
        }
    }
    std::vector<std::uint8_t> header(machine.kernel.begin() + 0x1F1, machine.kernel.begin() + 0x268);
    header[0x210 - 0x1F1] = 0xFF; // type_of_loader: unregistered
    header[0x211 - 0x1F1] = 0x01; // loadflags: loaded high
    const std::uint32_t command_line = machine.at<std::uint32_t>(page + 0x228);
    set_little(std::span(header), 0x228 - 0x1F1, command_line);
    EXPECT_EQ(machine.bytes(page + 0x1F1, header.size()), header);
    EXPECT_EQ(machine.text(command_line), "console=ttyS0 quiet");
    EXPECT_LT(command_line, 0x9FC00U);
}

TEST(LinuxLoader, E820) {
    LoaderMachine machine(bzimage(), 128 * kMiB);
    const std::uint32_t table = machine.load().esi + 0x2D0;
    struct Entry {
        std::uint64_t base, bytes;
        std::uint32_t type;
    };
    const Entry expected[] = {
        {0, 0x9FC00, 1}, {0x9FC00, 0x400, 2}, {0xE0000, 0x20000, 2}, {0x100000, 127 * kMiB, 1}};
    for (std::uint32_t i = 0; i < 4; ++i) {
        EXPECT_EQ(machine.at<std::uint64_t>(table + 20 * i), expected[i].base) << i;
        EXPECT_EQ(machine.at<std::uint64_t>(table + 20 * i + 8), expected[i].bytes) << i;
        EXPECT_EQ(machine.at<std::uint32_t>(table + 20 * i + 16), expected[i].type) << i;
    }
}

TEST(LinuxLoader, BiosDataTellsTheEbda) {
    LoaderMachine machine(bzimage());
    (void)machine.load();
    EXPECT_EQ(machine.at<std::uint16_t>(0x40E), 0x9FC0);
    EXPECT_EQ(machine.at<std::uint16_t>(0x413), 639);
}

TEST(LinuxLoader, NoInitrd) {
    LoaderMachine machine(bzimage());
    const std::uint32_t page = machine.load().esi;
    EXPECT_EQ(machine.at<std::uint32_t>(page + 0x218), 0U);
    EXPECT_EQ(machine.at<std::uint32_t>(page + 0x21C), 0U);
}

TEST(LinuxLoader, InitrdAsHighAsRamAllows) {
    LoaderMachine machine(bzimage());
    machine.initrd = pattern(0x12345, 77);
    const std::uint32_t page = machine.load().esi;
    const auto at = machine.at<std::uint32_t>(page + 0x218);
    EXPECT_EQ(at, (64 * kMiB - 0x12345) & ~std::size_t{0xFFF});
    EXPECT_EQ(machine.at<std::uint32_t>(page + 0x21C), 0x12345U);
    EXPECT_EQ(machine.bytes(at, 0x12345), *machine.initrd);
}

TEST(LinuxLoader, InitrdNotAboveWhatTheKernelReaches) {
    LoaderMachine machine(bzimage_with(0x22C, std::uint32_t{0x2FFFFFF}));
    machine.initrd = pattern(0x1000, 77);
    const std::uint32_t page = machine.load().esi;
    EXPECT_EQ(machine.at<std::uint32_t>(page + 0x218), 0x3000000U - 0x1000U);
}

TEST(LinuxLoader, InitrdFillsTheRestOfRamExactly) {
    constexpr std::size_t kKernelEnd = 24 * kMiB;
    LoaderMachine machine(bzimage(), 28 * kMiB);
    machine.initrd = pattern(28 * kMiB - kKernelEnd, 1);
    EXPECT_EQ(machine.at<std::uint32_t>(machine.load().esi + 0x218), kKernelEnd);

    LoaderMachine tight(bzimage(), 28 * kMiB);
    tight.initrd = pattern(28 * kMiB - kKernelEnd + 1, 1);
    const std::string error = tight.error();
    EXPECT_TRUE(contains(error, "the initrd initrd.img (4096 KiB) does not fit in 28 MiB of memory"));
}

// Protocols before 2.03 have no initrd_addr_max: boot.rst gives 0x37FFFFFF. The kernel's end is only its
// file's.
TEST(LinuxLoader, OldProtocol) {
    LoaderMachine machine(bzimage_with(0x206, std::uint16_t{0x0202}), 4 * kMiB);
    machine.initrd = pattern(0x1000, 7);
    EXPECT_EQ(machine.at<std::uint32_t>(machine.load().esi + 0x218), 4 * kMiB - 0x1000);
}

TEST(LinuxLoader, OldProtocolHasShortCommandLines) {
    LoaderMachine longest(bzimage_with(0x206, std::uint16_t{0x0202}));
    longest.command_line = std::string(255, 'x');
    EXPECT_EQ(longest.error(), "");
    LoaderMachine longer(bzimage_with(0x206, std::uint16_t{0x0202}));
    longer.command_line = std::string(256, 'x');
    EXPECT_TRUE(contains(longer.error(), "--append: 256 characters are more than the kernel's 255"));
}

TEST(LinuxLoader, CommandLineAsLongAsTheKernelTakes) {
    LoaderMachine longest(bzimage());
    longest.command_line = std::string(2047, 'x');
    EXPECT_EQ(longest.text(longest.at<std::uint32_t>(longest.load().esi + 0x228)), longest.command_line);
    LoaderMachine longer(bzimage());
    longer.command_line = std::string(2048, 'x');
    EXPECT_TRUE(contains(longer.error(), "--append: 2048 characters"));
}

TEST(LinuxLoader, LargerZoneIsToldTheKernel) {
    LoaderMachine machine(bzimage());
    machine.command_line = "quiet";
    machine.zone_limit = 0xFC000000;
    EXPECT_EQ(machine.text(machine.at<std::uint32_t>(machine.load().esi + 0x228)),
              "quiet reservetop=0x4000000");
}

TEST(LinuxLoader, SetupSectorsZeroMeansFour) {
    std::vector<std::uint8_t> file = bzimage_with(0x1F1, std::uint8_t{0});
    LoaderMachine machine(file);
    set_little(std::span(machine.kernel), 0x1F4, std::uint32_t{(kCodeBytes - 0x200) / 16});
    (void)machine.load();
    EXPECT_EQ(machine.bytes(0x100000, 64),
              std::vector<std::uint8_t>(file.begin() + 5 * 512, file.begin() + 5 * 512 + 64));
}

TEST(LinuxLoader, Truncated) {
    for (const std::size_t bytes :
         {std::size_t{0x208}, std::size_t{0x263}, std::size_t{0x264}, std::size_t{0x800}, std::size_t{0x801},
          std::size_t{kSetupBytes + kCodeBytes - 1}}) {
        std::vector<std::uint8_t> file = bzimage();
        file.resize(bytes);
        EXPECT_TRUE(contains(LoaderMachine(file).error(), "the kernel kernel.img is truncated")) << bytes;
    }
}

TEST(LinuxLoader, KernelsThatCannotRun) {
    EXPECT_TRUE(contains(LoaderMachine(bzimage_with(0x236, std::uint16_t{0x3F})).error(), "64-bit kernel"));
    EXPECT_TRUE(contains(LoaderMachine(bzimage_with(0x211, std::uint8_t{0})).error(), "no 32-bit entry"));
    EXPECT_TRUE(
        contains(LoaderMachine(bzimage_with(0x206, std::uint16_t{0x0201})).error(), "no 32-bit entry"));
}

TEST(LinuxLoader, MemoryTooSmallForTheKernel) {
    EXPECT_EQ(LoaderMachine(bzimage(), 24 * kMiB).error(), "");
    EXPECT_TRUE(
        contains(LoaderMachine(bzimage(), 24 * kMiB - 4096).error(), "-m: 23 MiB of memory are too small"));
    EXPECT_TRUE(contains(LoaderMachine(bzimage_with(0x258, ~std::uint64_t{0})).error(), "too small"))
        << "an absurd address must not wrap around";
}

TEST(LinuxLoader, CodeOverTheFirmwareIsRefused) {
    EXPECT_TRUE(contains(LoaderMachine(bzimage_with(0x214, std::uint32_t{0xF0000})).error(),
                         "lies over the firmware"));
}

} // namespace
} // namespace ringone::launcher
