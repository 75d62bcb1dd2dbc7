// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "vmm/launcher/kernel_loader.hpp"

namespace ringone::launcher {

/// Is the file a Linux kernel image with a setup header (Linux Documentation/arch/x86/boot.rst)?
[[nodiscard]] bool is_linux_image(std::span<const std::uint8_t> file);

/// Loads a bzImage by the 32-bit boot protocol. Throws UserError.
[[nodiscard]] EntryState load_linux(const BootFiles& files, BootMemory& memory);

} // namespace ringone::launcher
