// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "vmm/launcher/multiboot_loader.hpp"

#include "vmm/launcher/exit_status.hpp"
#include "vmm/launcher/little_endian.hpp"

#include <algorithm>
#include <elf.h>
#include <fmt/format.h>

namespace ringone::launcher {
namespace {

using Bytes = std::span<const std::uint8_t>;

// Multiboot Specification version 0.6.96: header in section 3.1, machine state 3.2, information 3.3.
constexpr std::uint32_t kHeaderMagic = 0x1BADB002;
constexpr std::uint32_t kLoaderMagic = 0x2BADB002;
constexpr std::size_t kHeaderSearch = 8192;
constexpr std::size_t kHeaderBytes = 12;
constexpr std::size_t kHeaderWithAddressesBytes = 32;
constexpr std::uint32_t kRequirements = 0xFFFF;
constexpr std::uint32_t kPageAlignModules = 1U << 0, kWantsMemory = 1U << 1, kWantsVideo = 1U << 2;
constexpr std::uint32_t kHasAddresses = 1U << 16;

constexpr std::uint32_t kInfoMemory = 1U << 0, kInfoCommandLine = 1U << 2, kInfoModules = 1U << 3,
                        kInfoMap = 1U << 6, kInfoLoaderName = 1U << 9;
enum InfoOffset : std::size_t {
    kFlags = 0,
    kMemoryLower = 4,
    kMemoryUpper = 8,
    kCommandLine = 16,
    kModulesCount = 20,
    kModulesAddress = 24,
    kMapLength = 44,
    kMapAddress = 48,
    kLoaderName = 64,
    kInfoBytes = 88,
};
constexpr std::uint32_t kMapEntryBytes = 20; ///< the size field does not count itself
constexpr std::uint64_t kPage = 4096;
constexpr std::uint32_t kKiB = 1024;

struct Header {
    std::size_t offset;
    std::uint32_t flags;
};

std::optional<Header> find_header(Bytes file) {
    for (std::size_t at = 0; at + kHeaderBytes <= std::min(file.size(), kHeaderSearch); at += 4) {
        if (little<std::uint32_t>(file, at) != kHeaderMagic) continue;
        const auto flags = little<std::uint32_t>(file, at + 4);
        if (kHeaderMagic + flags + little<std::uint32_t>(file, at + 8) == 0) return Header{at, flags};
    }
    return {};
}

/// What loading the kernel's own parts comes to.
struct Loaded {
    std::uint32_t entry = 0;
    std::uint64_t end = 0; ///< highest address used
};

void load_part(const BootFile& kernel, BootMemory& memory, std::uint64_t file_offset,
               std::uint64_t file_bytes, std::uint32_t address, std::uint64_t memory_bytes, Loaded& loaded) {
    if (file_offset > kernel.bytes.size() || file_bytes > kernel.bytes.size() - file_offset)
        throw UserError(fmt::format("the kernel {} is truncated: {} bytes, but a part of it ends at byte {}",
                                    kernel.path, kernel.bytes.size(), file_offset + file_bytes));
    memory.take(address, memory_bytes, fmt::format("the kernel {}", kernel.path));
    memory.write(address,
                 kernel.bytes.subspan(file_offset, file_bytes)); // RAM is zero: nothing to clear behind
    loaded.end = std::max(loaded.end, address + memory_bytes);
}

Loaded load_by_addresses(const BootFile& kernel, const Header& header, BootMemory& memory) {
    if (header.offset + kHeaderWithAddressesBytes > kernel.bytes.size())
        throw UserError(fmt::format("the kernel {} is truncated within its multiboot header", kernel.path));
    const auto field = [&](std::size_t index) {
        return little<std::uint32_t>(kernel.bytes, header.offset + kHeaderBytes + 4 * index);
    };
    const std::uint32_t header_address = field(0), load = field(1), load_end = field(2), bss_end = field(3);
    if (load > header_address || header_address - load > header.offset ||
        (load_end != 0 && load_end < load) || (bss_end != 0 && bss_end < std::max(load, load_end)))
        throw UserError(
            fmt::format("the load addresses in the multiboot header of {} make no sense", kernel.path));
    const std::uint64_t offset = header.offset - (header_address - load);
    const std::uint64_t bytes = load_end == 0 ? kernel.bytes.size() - offset : load_end - load;
    Loaded loaded{field(4), 0};
    load_part(kernel, memory, offset, bytes, load,
              bss_end == 0 ? bytes : std::max<std::uint64_t>(bss_end - load, bytes), loaded);
    return loaded;
}

Loaded load_elf(const BootFile& kernel, BootMemory& memory) {
    const Bytes file = kernel.bytes;
    if (!is_elf(file))
        throw UserError(fmt::format("{} has a multiboot header without load addresses, and is no ELF program",
                                    kernel.path));
    if (file[kElfClassOffset] == kElfClass64)
        throw UserError(fmt::format("{} is a 64-bit program: RingOne runs 32-bit kernels", kernel.path));
    if (file.size() < sizeof(Elf32_Ehdr))
        throw UserError(fmt::format("the kernel {} is truncated", kernel.path));
    const auto header = little<Elf32_Ehdr>(file, 0);
    if (header.e_machine != EM_386 || header.e_type != ET_EXEC || header.e_phentsize != sizeof(Elf32_Phdr))
        throw UserError(fmt::format("{} is no executable for 32-bit x86", kernel.path));
    Loaded loaded{header.e_entry, 0};
    for (std::size_t i = 0; i < header.e_phnum; ++i) {
        const std::size_t at = header.e_phoff + i * sizeof(Elf32_Phdr);
        if (at + sizeof(Elf32_Phdr) > file.size())
            throw UserError(
                fmt::format("the kernel {} is truncated within its program headers", kernel.path));
        const auto part = little<Elf32_Phdr>(file, at);
        if (part.p_type != PT_LOAD || part.p_memsz == 0) continue;
        load_part(kernel, memory, part.p_offset, part.p_filesz, part.p_paddr,
                  std::max(part.p_memsz, part.p_filesz), loaded);
        // Entered with paging off: the entry point is virtual where the segments are.
        if (header.e_entry - part.p_vaddr < part.p_memsz)
            loaded.entry = header.e_entry - part.p_vaddr + part.p_paddr;
    }
    if (loaded.end == 0) throw UserError(fmt::format("the kernel {} has nothing to load", kernel.path));
    return loaded;
}

void add_module(const BootFile& file, std::uint64_t kernel_end, BootMemory& memory,
                std::span<std::uint8_t> info) {
    const auto at = memory.find_lowest(
        file.bytes.size(), kPage, std::max<std::uint64_t>(kernel_end, BootMemory::kOneMiB), memory.bytes());
    if (!at)
        throw UserError(
            fmt::format("the initrd {} ({} KiB) does not fit in {} MiB of memory beside the kernel",
                        file.path, file.bytes.size() / kKiB, memory.bytes() >> 20U));
    memory.take(*at, file.bytes.size(), "the initrd");
    memory.write(*at, file.bytes);
    std::vector<std::uint8_t> entry;
    append_little(entry, *at);
    append_little(entry, *at + static_cast<std::uint32_t>(file.bytes.size()));
    append_little(entry, memory.place_low(c_string(file.path), "the module's string"));
    append_little(entry, std::uint32_t{0});
    set_little(info, kModulesCount, std::uint32_t{1});
    set_little(info, kModulesAddress, memory.place_low(entry, "the module list"));
}

void add_memory_map(BootMemory& memory, std::span<std::uint8_t> info) {
    std::vector<std::uint8_t> map;
    for (const MemoryRange& range : memory.map()) {
        append_little(map, kMapEntryBytes);
        append_little(map, range.base);
        append_little(map, range.bytes);
        append_little(map, range.type);
    }
    set_little(info, kMemoryLower, BootMemory::kConventionalEnd / kKiB);
    set_little(info, kMemoryUpper, static_cast<std::uint32_t>((memory.bytes() - BootMemory::kOneMiB) / kKiB));
    set_little(info, kMapLength, static_cast<std::uint32_t>(map.size()));
    set_little(info, kMapAddress, memory.place_low(map, "the memory map"));
}

} // namespace

bool is_elf(Bytes file) {
    return file.size() > kElfClassOffset && std::memcmp(file.data(), ELFMAG, SELFMAG) == 0;
}

bool is_multiboot(Bytes file) { return find_header(file).has_value(); }

EntryState load_multiboot(const BootFiles& files, BootMemory& memory) {
    const std::optional<Header> header = find_header(files.kernel.bytes);
    if (!header) throw UserError(fmt::format("{} has no multiboot header", files.kernel.path));
    if ((header->flags & kRequirements & kWantsVideo) != 0)
        throw UserError(
            fmt::format("the kernel {} asks for a video mode: there is no display", files.kernel.path));
    if ((header->flags & kRequirements & ~(kPageAlignModules | kWantsMemory)) != 0)
        throw UserError(
            fmt::format("the kernel {} asks for multiboot features that do not exist (flags {:#x})",
                        files.kernel.path, header->flags));
    const Loaded loaded = (header->flags & kHasAddresses) != 0
                              ? load_by_addresses(files.kernel, *header, memory)
                              : load_elf(files.kernel, memory);

    std::vector<std::uint8_t> info(kInfoBytes);
    std::uint32_t flags = kInfoMemory | kInfoCommandLine | kInfoMap | kInfoLoaderName;
    if (files.initrd) {
        flags |= kInfoModules;
        add_module(*files.initrd, loaded.end, memory, info);
    }
    add_memory_map(memory, info);
    set_little(std::span(info), kFlags, flags);
    set_little(std::span(info), kCommandLine,
               memory.place_low(c_string(files.command_line), "the command line"));
    set_little(std::span(info), kLoaderName, memory.place_low(c_string("RingOne"), "the loader's name"));
    return {loaded.entry, kLoaderMagic, memory.place_low(info, "the multiboot information"), 0};
}

} // namespace ringone::launcher
