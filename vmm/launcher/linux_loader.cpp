// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "vmm/launcher/linux_loader.hpp"

#include "vmm/launcher/exit_status.hpp"
#include "vmm/launcher/little_endian.hpp"
#include "vmm/launcher/memory_size.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace ringone::launcher {
namespace {

using Bytes = std::span<const std::uint8_t>;

// Linux Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header": offsets in the file and in the zero
// page alike.
enum SetupOffset : std::size_t {
    kSetupSectors = 0x1F1,
    kSystemParagraphs = 0x1F4,
    kBootFlag = 0x1FE,
    kJumpLength = 0x201, ///< the header ends so many bytes behind 0x202
    kMagic = 0x202,
    kVersion = 0x206,
    kTypeOfLoader = 0x210,
    kLoadFlags = 0x211,
    kCode32Start = 0x214,
    kRamdiskImage = 0x218,
    kRamdiskSize = 0x21C,
    kCommandLinePointer = 0x228,
    kInitrdAddressMax = 0x22C,
    kXLoadFlags = 0x236,
    kCommandLineSize = 0x238,
    kPreferredAddress = 0x258,
    kInitSize = 0x260,
    kHeaderEnd = 0x264, ///< of what is looked at here
};
// Documentation/arch/x86/zero-page.rst
constexpr std::size_t kE820Entries = 0x1E8;
constexpr std::size_t kE820Table = 0x2D0;
constexpr std::size_t kZeroPageBytes = 4096;

constexpr std::uint16_t kBootFlagValue = 0xAA55;
constexpr std::uint32_t kMagicValue = 0x53726448; // "HdrS"
constexpr std::uint16_t kVersionCommandLinePointer = 0x0202, kVersionInitrdMax = 0x0203,
                        kVersionCommandLineSize = 0x0206, kVersionInitSize = 0x020A,
                        kVersionXLoadFlags = 0x020C;
constexpr std::uint8_t kUnknownLoader = 0xFF;
constexpr std::uint8_t kLoadedHigh = 1U << 0;
constexpr std::uint16_t kKernel64 = 1U << 0;
constexpr std::uint32_t kOldInitrdMax = 0x37FFFFFF;
constexpr std::uint32_t kOldCommandLineMax = 255;
constexpr std::uint32_t kDefaultSetupSectors = 4;
constexpr std::uint64_t kSector = 512;
constexpr std::uint64_t kParagraph = 16;
constexpr std::uint64_t kPage = 4096;

/// BIOS data area words that kernels read to find the EBDA (IBM PC/AT Technical Reference).
constexpr std::uint32_t kBdaEbdaSegment = 0x40E;
constexpr std::uint32_t kBdaMemoryKiB = 0x413;

struct Image {
    const BootFile& file;
    std::uint16_t version;
    std::uint64_t setup_bytes;

    template <typename T>
    [[nodiscard]] T field(std::size_t offset, std::uint16_t since, T otherwise) const {
        return version >= since ? little<T>(file.bytes, offset) : otherwise;
    }
};

Image check(const BootFile& kernel) {
    const Bytes file = kernel.bytes;
    if (file.size() < kHeaderEnd)
        throw UserError(fmt::format("the kernel {} is truncated within its header", kernel.path));
    const auto version = little<std::uint16_t>(file, kVersion);
    if (version < kVersionCommandLinePointer || (file[kLoadFlags] & kLoadedHigh) == 0)
        throw UserError(
            fmt::format("{} has no 32-bit entry: not a bzImage, or a kernel older than 2.4", kernel.path));
    std::uint32_t sectors = file[kSetupSectors];
    if (sectors == 0) sectors = kDefaultSetupSectors;
    const Image image{kernel, version, (sectors + 1) * kSector};
    if ((image.field<std::uint16_t>(kXLoadFlags, kVersionXLoadFlags, 0) & kKernel64) != 0)
        throw UserError(fmt::format("{} is a 64-bit kernel: RingOne runs 32-bit ones", kernel.path));
    const std::uint64_t need =
        image.setup_bytes + little<std::uint32_t>(file, kSystemParagraphs) * kParagraph;
    if (file.size() <= image.setup_bytes || file.size() < need)
        throw UserError(
            fmt::format("the kernel {} is truncated: {} of {} bytes", kernel.path, file.size(), need));
    return image;
}

/// Loads the protected-mode part. It runs on from where it prefers to be: that must be free RAM as well.
std::uint32_t load_protected_mode_part(const Image& image, BootMemory& memory) {
    const auto code32_start = little<std::uint32_t>(image.file.bytes, kCode32Start);
    const Bytes code = image.file.bytes.subspan(image.setup_bytes);
    const auto preferred =
        std::min(image.field<std::uint64_t>(kPreferredAddress, kVersionInitSize, code32_start),
                 std::uint64_t{0xFFFFFFFF}); // an absurd one is refused below, as any beyond RAM
    const auto init_bytes = image.field<std::uint32_t>(kInitSize, kVersionInitSize, 0);
    const std::uint64_t end =
        std::max(code32_start + code.size(), std::max<std::uint64_t>(preferred, code32_start) + init_bytes);
    if (end > memory.bytes())
        throw UserError(fmt::format(
            "-m: {} MiB of memory are too small for the kernel {}, which unpacks itself up to {} MiB",
            memory.bytes() >> 20U, image.file.path, (end >> 20U) + 1));
    memory.take(code32_start, end - code32_start, fmt::format("the kernel {}", image.file.path));
    memory.write(code32_start, code);
    return code32_start;
}

void load_initrd(const Image& image, const BootFile& initrd, BootMemory& memory,
                 std::span<std::uint8_t> zero_page) {
    const auto highest = image.field<std::uint32_t>(kInitrdAddressMax, kVersionInitrdMax, kOldInitrdMax);
    const auto at =
        memory.find_highest(initrd.bytes.size(), kPage, BootMemory::kOneMiB, std::uint64_t{highest} + 1);
    if (!at)
        throw UserError(
            fmt::format("the initrd {} ({} KiB) does not fit in {} MiB of memory beside the kernel",
                        initrd.path, initrd.bytes.size() >> 10U, memory.bytes() >> 20U));
    memory.take(*at, initrd.bytes.size(), "the initrd");
    memory.write(*at, initrd.bytes);
    set_little(zero_page, kRamdiskImage, *at);
    set_little(zero_page, kRamdiskSize, static_cast<std::uint32_t>(initrd.bytes.size()));
}

void add_memory_map(const BootMemory& memory, std::span<std::uint8_t> zero_page) {
    std::vector<std::uint8_t> table;
    for (const MemoryRange& range : memory.map()) {
        append_little(table, range.base);
        append_little(table, range.bytes);
        append_little(table, range.type);
    }
    std::ranges::copy(table, zero_page.subspan(kE820Table).begin());
    zero_page[kE820Entries] = static_cast<std::uint8_t>(memory.map().size());
}

void write_bios_data(BootMemory& memory) {
    std::vector<std::uint8_t> segment, kib;
    append_little(segment, static_cast<std::uint16_t>(BootMemory::kConventionalEnd >> 4U));
    append_little(kib, static_cast<std::uint16_t>(BootMemory::kConventionalEnd >> 10U));
    memory.write(kBdaEbdaSegment, segment);
    memory.write(kBdaMemoryKiB, kib);
}

} // namespace

bool is_linux_image(Bytes file) {
    return file.size() >= kVersion + sizeof(std::uint16_t) &&
           little<std::uint16_t>(file, kBootFlag) == kBootFlagValue &&
           little<std::uint32_t>(file, kMagic) == kMagicValue;
}

EntryState load_linux(const BootFiles& files, BootMemory& memory) {
    const Image image = check(files.kernel);
    const std::string command_line = linux_command_line(files.command_line, files.zone_limit);
    const auto longest =
        image.field<std::uint32_t>(kCommandLineSize, kVersionCommandLineSize, kOldCommandLineMax);
    if (command_line.size() > longest)
        throw UserError(fmt::format("--append: {} characters are more than the kernel's {}",
                                    command_line.size(), longest));
    const std::uint32_t entry = load_protected_mode_part(image, memory);

    std::vector<std::uint8_t> zero_page(kZeroPageBytes);
    const std::size_t header_end =
        std::min<std::size_t>(kMagic + files.kernel.bytes[kJumpLength], kE820Table);
    std::ranges::copy(files.kernel.bytes.subspan(kSetupSectors, header_end - kSetupSectors),
                      zero_page.begin() + kSetupSectors);
    zero_page[kTypeOfLoader] = kUnknownLoader;
    zero_page[kLoadFlags] |= kLoadedHigh;
    set_little(std::span(zero_page), kCommandLinePointer,
               memory.place_low(c_string(command_line), "the command line"));
    if (files.initrd) load_initrd(image, *files.initrd, memory, zero_page);
    add_memory_map(memory, zero_page);
    write_bios_data(memory);
    return {entry, 0, 0, memory.place_low(zero_page, "the zero page")};
}

} // namespace ringone::launcher
