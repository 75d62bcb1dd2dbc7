// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
//
// `ringone translate`: its listing, and what it says to unusable files.
#include "tests/unit/translator/golden_file.hpp"
#include "vmm/launcher/exit_status.hpp"
#include "vmm/launcher/translate.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <elf.h>
#include <fstream>
#include <sys/wait.h>
#include <unistd.h>

namespace ringone::tests {
namespace {

using namespace launcher;
using Bytes = std::vector<std::uint8_t>;

constexpr std::uint32_t kLoad = 0x100000;

/// A small kernel's beginning: a call, a loop, a branch, a privileged instruction, an end.
const Bytes kCode = {
    0xFA,                         // 100000: CLI
    0xB9, 0x10, 0x00, 0x00, 0x00, // MOV ecx, 16
    0xE8, 0x0A, 0x00, 0x00, 0x00, // CALL 100015
    0x0F, 0x01, 0x15, 0x00, 0x20, 0x10, 0x00, // LGDT [102000]
    0xEB, 0x08,                   // JMP 10001c
    0xF4,                         // 100014
    0x89, 0xC8,                   // 100015: MOV eax, ecx
    0xE2, 0xFC,                   // LOOP 100015
    0xC3,                         // RET
    0x0F, 0x0B,                   // UD2
    0x85, 0xC0,                   // 10001c: TEST eax, eax
    0x74, 0x01,                   // JZ 100021
    0xCF,                         // IRET
    0xFF, 0xE3,                   // 100021: JMP ebx
};

TranslateSettings settings_at(std::uint32_t start, std::uint32_t blocks = 16) {
    TranslateSettings settings;
    settings.start = start;
    settings.blocks = blocks;
    return settings;
}

TEST(Translate, lists_blocks_breadth_first) {
    ProgramImage program = ProgramImage::from_flat("code", kCode, kLoad);
    expect_golden("translate_flat", list_translation(program, settings_at(kLoad)));
}

TEST(Translate, lists_16_bit_code) {
    ProgramImage program = ProgramImage::from_flat("code", {0xE8, 0x01, 0x00, 0xF4, 0x66, 0x89, 0xC8, 0xC3}, 0x100);
    TranslateSettings settings = settings_at(0x100);
    settings.bits = translator::CodeSize::bits16;
    expect_golden("translate_16bit", list_translation(program, settings));
}

TEST(Translate, shows_stubs_and_side_tables_on_demand) {
    ProgramImage program = ProgramImage::from_flat("code", {0x43, 0xEB, 0xFD}, kLoad);
    TranslateSettings settings = settings_at(kLoad);
    const std::string without = list_translation(program, settings);
    EXPECT_EQ(without.find("stub:"), std::string::npos);
    EXPECT_EQ(without.find("side table"), std::string::npos);
    settings.stubs = settings.side_table = true;
    const std::string with = list_translation(program, settings);
    EXPECT_NE(with.find("stub:"), std::string::npos);
    EXPECT_NE(with.find("side table"), std::string::npos);
}

TEST(Translate, stops_at_the_number_of_blocks_asked_for) {
    ProgramImage program = ProgramImage::from_flat("code", kCode, kLoad);
    const std::string text = list_translation(program, settings_at(kLoad, 1));
    EXPECT_NE(text.find("1 blocks listed, 2 more known"), std::string::npos) << text;
}

TEST(Translate, a_branch_out_of_the_file_is_noted) {
    ProgramImage program = ProgramImage::from_flat("code", {0xE9, 0x00, 0x10, 0x00, 0x00}, kLoad);
    EXPECT_NE(list_translation(program, settings_at(kLoad)).find("block 00101005: not in the file"), std::string::npos);
    EXPECT_THROW((void)list_translation(program, settings_at(0x5000)), UserError);
}

Bytes elf(void (*change)(Elf32_Ehdr&, Elf32_Phdr&) = [](Elf32_Ehdr&, Elf32_Phdr&) {}) {
    Elf32_Ehdr header{};
    Elf32_Phdr part{};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS32;
    header.e_type = ET_EXEC;
    header.e_machine = EM_386;
    header.e_entry = 0xC0100000;
    header.e_phoff = sizeof header;
    header.e_phentsize = sizeof part;
    header.e_phnum = 1;
    const auto size = static_cast<std::uint32_t>(kCode.size());
    part = {PT_LOAD, sizeof header + sizeof part, 0xC0100000, kLoad, size, size + 0x1000, PF_R | PF_X, 4};
    change(header, part);
    Bytes file(sizeof header + sizeof part + kCode.size());
    std::memcpy(file.data(), &header, sizeof header);
    std::memcpy(file.data() + sizeof header, &part, sizeof part);
    std::memcpy(file.data() + sizeof header + sizeof part, kCode.data(), kCode.size());
    return file;
}

TEST(Translate, an_elf_program_lies_at_its_virtual_addresses) {
    ProgramImage program = ProgramImage::from_elf("kernel", elf());
    EXPECT_EQ(program.entry(), 0xC0100000U);
    std::array<std::uint8_t, 16> bytes{};
    ASSERT_EQ(program.fetch(0xC0100000, bytes), 16U);
    EXPECT_TRUE(std::equal(bytes.begin(), bytes.end(), kCode.begin()));
    // Zeros behind the file's bytes, nothing behind the segment, nothing beyond a page.
    const auto size = static_cast<std::uint32_t>(kCode.size());
    ASSERT_EQ(program.fetch(0xC0100000 + size - 1, bytes), 16U);
    EXPECT_EQ(bytes[0], kCode.back());
    EXPECT_EQ(bytes[1], 0);
    EXPECT_EQ(program.fetch(0xC0100000 + size + 0x1000 - 3, bytes), 3U);
    EXPECT_EQ(program.fetch(0xC0100FFE, bytes), 2U);
    EXPECT_EQ(program.fetch(kLoad, bytes), 0U);
    EXPECT_NE(list_translation(program, settings_at(program.entry())).find("block c0100000"), std::string::npos);
}

TEST(Translate, a_physical_entry_point_is_found_at_its_virtual_address) {
    const ProgramImage program = ProgramImage::from_elf(
        "kernel", elf([](Elf32_Ehdr& h, Elf32_Phdr& p) { h.e_entry = p.p_paddr + 8; }));
    EXPECT_EQ(program.entry(), 0xC0100008U);
    const ProgramImage lost =
        ProgramImage::from_elf("kernel", elf([](Elf32_Ehdr& h, Elf32_Phdr&) { h.e_entry = 0x5000; }));
    EXPECT_EQ(lost.entry(), 0x5000U);
}

std::string elf_error(const Bytes& file) {
    try {
        (void)ProgramImage::from_elf("kernel", file);
    } catch (const UserError& error) {
        return error.what();
    }
    return "none";
}

TEST(Translate, unusable_elf_files_are_refused) {
    EXPECT_EQ(elf_error(elf([](Elf32_Ehdr& h, Elf32_Phdr&) { h.e_ident[EI_CLASS] = ELFCLASS64; })),
              "kernel is a 64-bit program: RingOne translates 16- and 32-bit code");
    EXPECT_EQ(elf_error(elf([](Elf32_Ehdr& h, Elf32_Phdr&) { h.e_machine = EM_ARM; })),
              "kernel is no linked program for 32-bit x86");
    EXPECT_EQ(elf_error(elf([](Elf32_Ehdr& h, Elf32_Phdr&) { h.e_phoff = 0xFFFFFFF0; })),
              "kernel is truncated within its program headers");
    EXPECT_EQ(elf_error(elf([](Elf32_Ehdr& h, Elf32_Phdr&) { h.e_phnum = 0xFFFF; })),
              "kernel is truncated within its program headers");
    EXPECT_EQ(elf_error(elf([](Elf32_Ehdr&, Elf32_Phdr& p) { p.p_filesz += 1; })),
              "kernel is truncated: 119 bytes, but a part of it ends at byte 120");
    EXPECT_EQ(elf_error(elf([](Elf32_Ehdr&, Elf32_Phdr& p) { p.p_offset = 0xFFFFFFFF; })),
              "kernel is truncated: 119 bytes, but a part of it ends at byte 4294967330");
    EXPECT_EQ(elf_error(elf([](Elf32_Ehdr&, Elf32_Phdr& p) { p.p_vaddr = 0xFFFFF000; })),
              "a part of kernel does not fit below 4 GiB");
    Bytes cut = elf();
    cut.resize(51);
    EXPECT_EQ(elf_error(cut), "kernel is truncated within its ELF header");
}

/// Runs the command itself: its exit status, and what it writes to both streams.
std::pair<int, std::string> run(const std::string& arguments) {
    const std::string command = RINGONE_COMMAND " translate " + arguments + " 2>&1";
    FILE* pipe = popen(command.c_str(), "r");
    if (pipe == nullptr) return {-1, "popen failed"};
    std::string text;
    std::array<char, 4096> buffer;
    while (const std::size_t n = std::fread(buffer.data(), 1, buffer.size(), pipe)) text.append(buffer.data(), n);
    const int status = pclose(pipe);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, text};
}

class TranslateCommand : public testing::Test {
protected:
    std::string write(const char* name, const Bytes& bytes) {
        const std::string path = testing::TempDir() + "ringone-translate-" + std::to_string(getpid()) + name;
        std::ofstream(path, std::ios::binary)
            .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
        files_.push_back(path);
        return path;
    }
    void TearDown() override {
        for (const std::string& path : files_) (void)std::remove(path.c_str());
    }
    static void expect_user_error(const std::string& arguments, const std::string& says) {
        const auto [status, text] = run(arguments);
        EXPECT_EQ(status, kExitUserError) << text;
        EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1) << text;
        EXPECT_NE(text.find(says), std::string::npos) << text;
    }

    std::vector<std::string> files_;
};

TEST_F(TranslateCommand, lists_an_elf_program_from_its_entry) {
    const auto [status, text] = run(write("elf", elf()) + " --blocks 2");
    EXPECT_EQ(status, 0);
    EXPECT_EQ(text.find("block c0100000: 11 bytes to "), 0U) << text;
    EXPECT_NE(text.find("2 blocks listed"), std::string::npos) << text;
}

TEST_F(TranslateCommand, lists_plain_code_at_its_address) {
    const auto [status, text] = run(write("flat", {0xE8, 0x01, 0x00, 0xF4, 0xC3}) + " --at 0x7c00 --bits 16 --without all");
    EXPECT_EQ(status, 0);
    EXPECT_EQ(text.find("block 00007c00: 3 bytes to "), 0U) << text;
    EXPECT_NE(text.find("block 00007c04"), std::string::npos) << text;
}

TEST_F(TranslateCommand, one_line_for_what_the_user_can_put_right) {
    const std::string good = write("good", elf());
    expect_user_error("", "file");
    expect_user_error("/nowhere/kernel", "cannot read the program /nowhere/kernel: No such file or directory");
    expect_user_error("/", "cannot read the program /: Is a directory");
    expect_user_error(write("flat", {0x90}), "is no ELF program: --at tells where plain code begins");
    expect_user_error(write("empty", {}) + " --at 0", "there is no code at 0x0");
    expect_user_error(write("high", {0x90, 0x90}) + " --at 0xFFFFFFFF", "does not fit between 0xffffffff and 4 GiB");
    expect_user_error(good + " --at 0x5000", "there is no code at 0x5000");
    expect_user_error(good + " --at here", "--at");
    expect_user_error(good + " --at 0x100000000", "--at");
    expect_user_error(good + " --bits 64", "--bits");
    expect_user_error(good + " --blocks 0", "--blocks");
    expect_user_error(good + " --without speed", "--without speed: there is all, chain");
}

} // namespace
} // namespace ringone::tests
