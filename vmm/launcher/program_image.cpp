// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "vmm/launcher/program_image.hpp"

#include "vmm/launcher/exit_status.hpp"
#include "vmm/launcher/little_endian.hpp"

#include <algorithm>
#include <elf.h>
#include <fmt/format.h>

namespace ringone::launcher {
namespace {

constexpr std::uint32_t kPage = 4096;
constexpr std::uint64_t kAddressSpace = std::uint64_t{1} << 32U;

} // namespace

ProgramImage ProgramImage::from_elf(const std::string& path, std::vector<std::uint8_t> file) {
    const std::span<const std::uint8_t> bytes(file);
    if (bytes.size() < sizeof(Elf32_Ehdr)) throw UserError(fmt::format("{} is truncated within its ELF header", path));
    const auto header = little<Elf32_Ehdr>(bytes, 0);
    if (header.e_ident[EI_CLASS] == ELFCLASS64)
        throw UserError(fmt::format("{} is a 64-bit program: RingOne translates 16- and 32-bit code", path));
    if (header.e_machine != EM_386 || header.e_phentsize != sizeof(Elf32_Phdr))
        throw UserError(fmt::format("{} is no linked program for 32-bit x86", path));
    ProgramImage image({}, header.e_entry);
    std::uint32_t physical_entry = header.e_entry;
    for (std::uint64_t i = 0; i < header.e_phnum; ++i) {
        const std::uint64_t at = header.e_phoff + i * sizeof(Elf32_Phdr);
        if (at + sizeof(Elf32_Phdr) > bytes.size())
            throw UserError(fmt::format("{} is truncated within its program headers", path));
        const auto part = little<Elf32_Phdr>(bytes, at);
        if (part.p_type != PT_LOAD || part.p_memsz == 0) continue;
        if (std::uint64_t{part.p_offset} + part.p_filesz > bytes.size())
            throw UserError(fmt::format("{} is truncated: {} bytes, but a part of it ends at byte {}", path,
                                        bytes.size(), std::uint64_t{part.p_offset} + part.p_filesz));
        const std::uint32_t memory_bytes = std::max(part.p_memsz, part.p_filesz);
        if (std::uint64_t{part.p_vaddr} + memory_bytes > kAddressSpace)
            throw UserError(fmt::format("a part of {} does not fit below 4 GiB", path));
        image.parts_.push_back({part.p_vaddr, part.p_offset, part.p_filesz, memory_bytes});
        // A kernel's entry point may be a physical address: it is entered with paging off.
        if (header.e_entry - part.p_paddr < memory_bytes) physical_entry = header.e_entry - part.p_paddr + part.p_vaddr;
    }
    image.file_ = std::move(file);
    std::uint8_t first;
    if (image.fetch(header.e_entry, {&first, 1}) == 0) image.entry_ = physical_entry;
    return image;
}

ProgramImage ProgramImage::from_flat(const std::string& path, std::vector<std::uint8_t> file, std::uint32_t address) {
    if (file.size() > kAddressSpace - address)
        throw UserError(fmt::format("{} does not fit between {:#x} and 4 GiB", path, address));
    ProgramImage image(std::move(file), address);
    image.parts_.push_back({address, 0, image.file_.size(), static_cast<std::uint32_t>(image.file_.size())});
    return image;
}

std::uint32_t ProgramImage::fetch(std::uint32_t linear, std::span<std::uint8_t> to) {
    const std::uint32_t to_page_end = kPage - linear % kPage;
    const std::uint32_t most = std::min(static_cast<std::uint32_t>(to.size()), to_page_end);
    std::uint32_t done = 0;
    // Byte by byte: parts may meet within an instruction.
    for (; done < most; ++done) {
        const std::uint32_t at = linear + done;
        const auto part = std::find_if(parts_.begin(), parts_.end(),
                                       [at](const Part& p) { return at - p.address < p.memory_bytes; });
        if (part == parts_.end()) break;
        const std::uint32_t offset = at - part->address;
        to[done] = offset < part->file_bytes ? file_[part->file_offset + offset] : std::uint8_t{0};
    }
    return done;
}

std::uint32_t ProgramImage::physical_page(std::uint32_t linear) { return linear / kPage; }

} // namespace ringone::launcher
