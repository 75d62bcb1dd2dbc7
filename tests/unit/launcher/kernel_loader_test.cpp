// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "tests/unit/launcher/loader_machine.hpp"

#include <elf.h>

namespace ringone::launcher {
namespace {

std::vector<std::uint8_t> elf(std::uint8_t elf_class) {
    std::vector<std::uint8_t> file(sizeof(Elf64_Ehdr));
    std::memcpy(file.data(), ELFMAG, SELFMAG);
    file[EI_CLASS] = elf_class;
    return file;
}

TEST(KernelLoader, NotAKernel) {
    EXPECT_TRUE(contains(LoaderMachine({}).error(), "kernel.img is empty"));
    EXPECT_TRUE(contains(LoaderMachine({0x7F}).error(), "neither multiboot nor a Linux bzImage"));
    EXPECT_TRUE(
        contains(LoaderMachine(pattern(100'000, 5)).error(), "neither multiboot nor a Linux bzImage"));
    EXPECT_TRUE(contains(LoaderMachine(elf(ELFCLASS32)).error(), "ELF program without a multiboot header"));
    EXPECT_TRUE(contains(LoaderMachine(elf(ELFCLASS64)).error(), "64-bit program"));
}

TEST(KernelLoader, EntersFlatProtectedMode) {
    LoaderMachine machine({});
    vmm::VCpu cpu;
    cpu.gpr.fill(0xDEADBEEF);
    cpu.eflags |= vmm::eflags::kInterrupt;
    enter_kernel({0x100020, 1, 2, 3}, machine.memory, cpu);

    EXPECT_EQ(cpu.eip, 0x100020U);
    EXPECT_EQ(cpu.gpr[vmm::kEax], 1U);
    EXPECT_EQ(cpu.gpr[vmm::kEbx], 2U);
    EXPECT_EQ(cpu.gpr[vmm::kEsi], 3U);
    for (const auto other : {vmm::kEcx, vmm::kEdx, vmm::kEbp, vmm::kEdi}) EXPECT_EQ(cpu.gpr[other], 0U);
    EXPECT_TRUE(cpu.protected_mode());
    EXPECT_FALSE(cpu.paging());
    EXPECT_EQ(cpu.eflags, vmm::eflags::kFixed) << "interrupts are off";
    EXPECT_EQ(cpu.cpl, 0);
}

// The cached descriptors must be those that a load from the GDT in memory gives.
TEST(KernelLoader, GdtInMemoryHoldsTheLoadedSegments) {
    LoaderMachine machine({});
    vmm::VCpu cpu;
    enter_kernel({}, machine.memory, cpu);
    for (std::size_t i = 0; i < vmm::kSegmentCount; ++i) {
        const vmm::SegmentCache& segment = cpu.segments[i];
        const bool code = i == static_cast<std::size_t>(vmm::Segment::cs);
        EXPECT_EQ(segment.selector, code ? 0x10 : 0x18);
        ASSERT_LE(segment.selector + 7, cpu.gdtr.limit);
        const auto low = machine.at<std::uint32_t>(cpu.gdtr.base + segment.selector);
        const auto high = machine.at<std::uint32_t>(cpu.gdtr.base + segment.selector + 4U);
        EXPECT_EQ(low >> 16U | (high & 0xFFU) << 16U | (high & 0xFF000000U), segment.base);
        EXPECT_EQ(((low & 0xFFFFU) | (high & 0xF0000U)) << 12U | 0xFFFU, segment.limit);
        EXPECT_EQ(high >> 8U & 0xF0FFU, segment.attributes);
        EXPECT_EQ(segment.code(), code);
        EXPECT_TRUE(code ? segment.readable() : segment.writable());
        EXPECT_TRUE(segment.usable && segment.present() && segment.big());
        EXPECT_EQ(segment.base, 0U);
        EXPECT_EQ(segment.limit, 0xFFFFFFFFU);
    }
}

} // namespace
} // namespace ringone::launcher
