// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "vmm/launcher/kernel_loader.hpp"

namespace ringone::launcher {

inline constexpr std::size_t kElfClassOffset = 4;
inline constexpr std::uint8_t kElfClass64 = 2;

[[nodiscard]] bool is_elf(std::span<const std::uint8_t> file);
/// Has the file a valid multiboot header (version 0.6.96, section 3.1)?
[[nodiscard]] bool is_multiboot(std::span<const std::uint8_t> file);

/// Loads an ELF32 kernel, or any file whose header carries load addresses. The initrd becomes the one module,
/// with its path as its string. Throws UserError.
[[nodiscard]] EntryState load_multiboot(const BootFiles& files, BootMemory& memory);

} // namespace ringone::launcher
