// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "vmm/launcher/boot_memory.hpp"
#include "vmm/monitor/vcpu.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace ringone::launcher {

/// A file given on the command line, and its bytes.
struct BootFile {
    std::string path;
    std::span<const std::uint8_t> bytes;
};

struct BootFiles {
    BootFile kernel;
    std::optional<BootFile> initrd;
    std::string command_line;
    std::uint32_t zone_limit; ///< first guest-linear address of the monitor zone
};

/// The CPU at the kernel's first instruction, as both boot protocols have it: flat protected mode, paging and
/// interrupts off.
struct EntryState {
    std::uint32_t eip = 0;
    std::uint32_t eax = 0, ebx = 0, esi = 0;
};

/// Loads a multiboot 1 kernel or a Linux bzImage, with what its protocol hands it. Throws UserError.
[[nodiscard]] EntryState load_kernel(const BootFiles& files, BootMemory& memory);

/// Writes a flat GDT (code at selector 0x10, data at 0x18) into memory and sets the CPU up.
void enter_kernel(const EntryState& entry, BootMemory& memory, vmm::VCpu& vcpu);

} // namespace ringone::launcher
