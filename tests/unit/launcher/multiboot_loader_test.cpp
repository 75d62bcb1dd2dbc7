// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "tests/unit/launcher/loader_machine.hpp"

#include <elf.h>

namespace ringone::launcher {
namespace {

// The offsets are those of the Multiboot Specification 0.6.96, written here once more on purpose.
constexpr std::uint32_t kMagic = 0x1BADB002;
constexpr std::uint32_t kCodeOffset = 0x1000, kCodeBytes = 0x2000;

void put_header(std::vector<std::uint8_t>& file, std::size_t offset, std::uint32_t flags) {
    set_little(std::span(file), offset, kMagic);
    set_little(std::span(file), offset + 4, flags);
    set_little(std::span(file), offset + 8, std::uint32_t{0} - kMagic - flags);
}

/// One segment of 0x2000 bytes in the file and 0x5000 in memory, at 1 MiB.
struct Elf {
    Elf32_Ehdr header{};
    Elf32_Phdr part{};
    std::uint32_t flags = 3;

    Elf() {
        std::memcpy(header.e_ident, ELFMAG, SELFMAG);
        header.e_ident[EI_CLASS] = ELFCLASS32;
        header.e_type = ET_EXEC;
        header.e_machine = EM_386;
        header.e_entry = 0x100020;
        header.e_phoff = sizeof header;
        header.e_phentsize = sizeof part;
        header.e_phnum = 1;
        part = {PT_LOAD, kCodeOffset, 0x100000, 0x100000, kCodeBytes, 0x5000, PF_R | PF_X, 0x1000};
    }
    [[nodiscard]] std::vector<std::uint8_t> file() const {
        std::vector<std::uint8_t> bytes = pattern(kCodeOffset + kCodeBytes, 4);
        std::memcpy(bytes.data(), &header, sizeof header);
        std::memcpy(bytes.data() + sizeof header, &part, sizeof part);
        put_header(bytes, kCodeOffset, flags);
        return bytes;
    }
};

std::string elf_error(void (*change)(Elf&), std::size_t ram_bytes = 64 * kMiB) {
    Elf elf;
    change(elf);
    return LoaderMachine(elf.file(), ram_bytes).error();
}

TEST(MultibootLoader, ElfSegmentAndEntry) {
    LoaderMachine machine(Elf().file());
    const EntryState entry = machine.load();
    EXPECT_EQ(entry.eip, 0x100020U);
    EXPECT_EQ(entry.eax, 0x2BADB002U);
    EXPECT_EQ(machine.bytes(0x100000, kCodeBytes),
              std::vector<std::uint8_t>(machine.kernel.begin() + kCodeOffset, machine.kernel.end()));
    EXPECT_EQ(machine.bytes(0x102000, 0x3000), std::vector<std::uint8_t>(0x3000));
}

TEST(MultibootLoader, EntryOfAKernelLinkedHigh) {
    Elf elf;
    elf.part.p_vaddr = 0xC0100000;
    elf.header.e_entry = 0xC0100040;
    EXPECT_EQ(LoaderMachine(elf.file()).load().eip, 0x100040U) << "paging is off";
}

TEST(MultibootLoader, Information) {
    LoaderMachine machine(Elf().file(), 16 * kMiB);
    machine.command_line = "one two";
    const std::uint32_t info = machine.load().ebx;
    EXPECT_EQ(machine.at<std::uint32_t>(info), 1U << 0 | 1U << 2 | 1U << 6 | 1U << 9);
    EXPECT_EQ(machine.at<std::uint32_t>(info + 4), 639U) << "KiB below 1 MiB";
    EXPECT_EQ(machine.at<std::uint32_t>(info + 8), 15U * 1024) << "KiB from 1 MiB on";
    EXPECT_EQ(machine.text(machine.at<std::uint32_t>(info + 16)), "one two");
    EXPECT_EQ(machine.at<std::uint32_t>(info + 20), 0U) << "no module";
    EXPECT_EQ(machine.text(machine.at<std::uint32_t>(info + 64)), "RingOne");
}

TEST(MultibootLoader, MemoryMap) {
    LoaderMachine machine(Elf().file(), 16 * kMiB);
    const std::uint32_t info = machine.load().ebx;
    const auto length = machine.at<std::uint32_t>(info + 44), address = machine.at<std::uint32_t>(info + 48);
    const auto ranges = machine.memory.map();
    ASSERT_EQ(length, ranges.size() * 24);
    for (std::uint32_t i = 0; i < ranges.size(); ++i) {
        const std::uint32_t at = address + i * 24;
        EXPECT_EQ(machine.at<std::uint32_t>(at), 20U) << "the size does not count itself";
        EXPECT_EQ(machine.at<std::uint64_t>(at + 4), ranges[i].base);
        EXPECT_EQ(machine.at<std::uint64_t>(at + 12), ranges[i].bytes);
        EXPECT_EQ(machine.at<std::uint32_t>(at + 20), ranges[i].type);
    }
}

TEST(MultibootLoader, InitrdIsTheModule) {
    LoaderMachine machine(Elf().file());
    machine.initrd = pattern(0x1801, 50);
    const std::uint32_t info = machine.load().ebx;
    EXPECT_NE(machine.at<std::uint32_t>(info) & 1U << 3, 0U);
    EXPECT_EQ(machine.at<std::uint32_t>(info + 20), 1U);
    const auto list = machine.at<std::uint32_t>(info + 24);
    const auto begin = machine.at<std::uint32_t>(list), end = machine.at<std::uint32_t>(list + 4);
    EXPECT_EQ(begin % 4096, 0U);
    EXPECT_GE(begin, 0x105000U) << "behind the kernel's zeroed end";
    EXPECT_EQ(end - begin, 0x1801U);
    EXPECT_EQ(machine.bytes(begin, end - begin), *machine.initrd);
    EXPECT_EQ(machine.text(machine.at<std::uint32_t>(list + 8)), "initrd.img");
    EXPECT_EQ(machine.at<std::uint32_t>(list + 12), 0U);
}

TEST(MultibootLoader, InitrdThatDoesNotFit) {
    LoaderMachine fits(Elf().file(), 2 * kMiB);
    fits.initrd = pattern(kMiB - 0x5000, 50);
    EXPECT_EQ(fits.error(), "");
    LoaderMachine machine(Elf().file(), 2 * kMiB);
    machine.initrd = pattern(kMiB - 0x4FFF, 50);
    EXPECT_TRUE(
        contains(machine.error(), "the initrd initrd.img (1004 KiB) does not fit in 2 MiB of memory"));
}

// The information must not lie where a kernel loads itself below 640 KiB.
TEST(MultibootLoader, KernelBelow640KiBStaysWhole) {
    Elf elf;
    elf.part.p_paddr = elf.part.p_vaddr = 0x1000;
    elf.part.p_memsz = 0x90000;
    elf.header.e_entry = 0x1010;
    LoaderMachine machine(elf.file());
    machine.command_line = std::string(0x2000, 'x');
    machine.initrd = pattern(100, 1);
    const std::uint32_t info = machine.load().ebx;
    EXPECT_EQ(machine.bytes(0x1000, kCodeBytes),
              std::vector<std::uint8_t>(machine.kernel.begin() + kCodeOffset, machine.kernel.end()));
    EXPECT_EQ(machine.text(machine.at<std::uint32_t>(info + 16)), machine.command_line);
    EXPECT_GE(machine.at<std::uint32_t>(info + 16), 0x91000U);
    EXPECT_EQ(machine.at<std::uint32_t>(machine.at<std::uint32_t>(info + 24)), 0x100000U)
        << "modules lie above 1 MiB";
}

TEST(MultibootLoader, HeaderIsFoundInTheFirst8192BytesOnly) {
    std::vector<std::uint8_t> file = Elf().file();
    set_little(std::span(file), kCodeOffset, std::uint32_t{0});
    std::vector<std::uint8_t> last = file, beyond = file, odd = file;
    put_header(last, 8192 - 12, 0);
    EXPECT_EQ(LoaderMachine(last).error(), "");
    put_header(beyond, 8192 - 8, 0);
    EXPECT_TRUE(contains(LoaderMachine(beyond).error(), "without a multiboot header"));
    put_header(odd, 0x802, 0);
    EXPECT_TRUE(contains(LoaderMachine(odd).error(), "without a multiboot header"));
    std::vector<std::uint8_t> wrong_sum = Elf().file();
    wrong_sum[kCodeOffset + 8] ^= 1U;
    EXPECT_TRUE(contains(LoaderMachine(wrong_sum).error(), "without a multiboot header"));
}

TEST(MultibootLoader, KernelsThatCannotRun) {
    EXPECT_TRUE(contains(elf_error([](Elf& e) { e.flags |= 1U << 2; }), "asks for a video mode"));
    EXPECT_TRUE(contains(elf_error([](Elf& e) { e.flags |= 1U << 5; }), "features that do not exist"));
    EXPECT_EQ(elf_error([](Elf& e) { e.flags |= 1U << 17; }), "") << "the upper half is optional";
    EXPECT_TRUE(
        contains(elf_error([](Elf& e) { e.header.e_ident[EI_CLASS] = ELFCLASS64; }), "64-bit program"));
    EXPECT_TRUE(
        contains(elf_error([](Elf& e) { e.header.e_machine = EM_ARM; }), "no executable for 32-bit x86"));
    EXPECT_TRUE(
        contains(elf_error([](Elf& e) { e.header.e_type = ET_REL; }), "no executable for 32-bit x86"));
    EXPECT_TRUE(contains(elf_error([](Elf& e) { e.part.p_type = PT_NOTE; }), "nothing to load"));
    EXPECT_TRUE(contains(elf_error([](Elf& e) { e.part.p_paddr = 0xF0000; }), "lies over the firmware"));
    EXPECT_TRUE(contains(elf_error([](Elf& e) { e.part.p_memsz = 0xFFFFFFFF; }), "does not fit in 64 MiB"));
    EXPECT_TRUE(contains(elf_error([](Elf& e) { e.part.p_paddr = 0xFFFFF000; }), "does not fit in 64 MiB"));
}

TEST(MultibootLoader, Truncated) {
    std::vector<std::uint8_t> file = Elf().file();
    file.pop_back();
    EXPECT_TRUE(contains(LoaderMachine(file).error(), "the kernel kernel.img is truncated"));
    EXPECT_TRUE(contains(elf_error([](Elf& e) { e.header.e_phoff = 0x2FF0; }),
                         "truncated within its program headers"));
    EXPECT_TRUE(
        contains(elf_error([](Elf& e) { e.header.e_phoff = 0xFFFFFFFF; }), "truncated within its program"));
    EXPECT_TRUE(contains(elf_error([](Elf& e) { e.part.p_offset = 0xFFFFF000; }), "is truncated"));
    EXPECT_TRUE(contains(elf_error([](Elf& e) { e.part.p_filesz = 0xFFFFFFFF; }), "is truncated"));
}

/// A header with load addresses ("a.out kludge") at 0x10 of a file without any format.
struct Flat {
    std::uint32_t header_address = 0x200010, load = 0x200000, load_end = 0, bss_end = 0, entry = 0x200100;

    [[nodiscard]] std::vector<std::uint8_t> file() const {
        std::vector<std::uint8_t> bytes = pattern(0x1000, 8);
        put_header(bytes, 0x10, 1U << 16);
        std::size_t at = 0x1C;
        for (const std::uint32_t field : {header_address, load, load_end, bss_end, entry}) {
            set_little(std::span(bytes), at, field);
            at += 4;
        }
        return bytes;
    }
};

TEST(MultibootLoader, LoadAddressesOfTheHeader) {
    LoaderMachine machine(Flat().file());
    const EntryState entry = machine.load();
    EXPECT_EQ(entry.eip, 0x200100U);
    EXPECT_EQ(entry.eax, 0x2BADB002U);
    EXPECT_EQ(machine.bytes(0x200000, 0x1000), machine.kernel) << "no load end: the whole file";
}

TEST(MultibootLoader, LoadAddressesWithinTheFile) {
    Flat flat;
    flat.load = flat.header_address; // begins with the header, not with the file
    flat.load_end = 0x200210;
    flat.bss_end = 0x300000;
    LoaderMachine machine(flat.file());
    machine.initrd = pattern(100, 1);
    const std::uint32_t info = machine.load().ebx;
    EXPECT_EQ(machine.bytes(0x200010, 0x200),
              std::vector<std::uint8_t>(machine.kernel.begin() + 0x10, machine.kernel.begin() + 0x210));
    EXPECT_EQ(machine.bytes(0x200210, 0x1000), std::vector<std::uint8_t>(0x1000)) << "the rest is not loaded";
    EXPECT_EQ(machine.at<std::uint32_t>(machine.at<std::uint32_t>(info + 24)), 0x300000U)
        << "bss is the kernel's";
}

TEST(MultibootLoader, BadLoadAddresses) {
    const auto error = [](void (*change)(Flat&)) {
        Flat flat;
        change(flat);
        return LoaderMachine(flat.file()).error();
    };
    EXPECT_TRUE(contains(error([](Flat& f) { f.load = 0x200020; }), "make no sense"))
        << "header before the load address";
    EXPECT_TRUE(contains(error([](Flat& f) { f.load = 0x1FF000; }), "make no sense"))
        << "before the file's begin";
    EXPECT_TRUE(contains(error([](Flat& f) { f.load_end = 0x1FFFFF; }), "make no sense"));
    EXPECT_TRUE(
        contains(error([](Flat& f) { f.load_end = 0x200800, f.bss_end = 0x2007FF; }), "make no sense"));
    EXPECT_TRUE(contains(error([](Flat& f) { f.load_end = 0x201001; }), "is truncated"));
    EXPECT_TRUE(contains(error([](Flat& f) { f.bss_end = 0xFFFFFFFF; }), "does not fit in 64 MiB"));
    std::vector<std::uint8_t> cut = Flat().file();
    cut.resize(0x2F);
    EXPECT_TRUE(contains(LoaderMachine(cut).error(), "truncated within its multiboot header"));
}

} // namespace
} // namespace ringone::launcher
