// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include <cstdint>
#include <string>

namespace ringone::launcher {

/// Bytes of "64M", "1G", "512K"; without a suffix MiB. Throws UserError, naming `option`, for anything else
/// and for what is no multiple of 4 KiB or above 4 GiB.
[[nodiscard]] std::uint64_t parse_size(const std::string& text, const char* option);

/// Checks guest memory: at least 2 MiB, ends below PCI's addresses and below the monitor zone. Throws
/// UserError.
[[nodiscard]] std::uint32_t checked_memory_size(std::uint64_t bytes, std::uint32_t zone_limit);

/// First guest-linear address of a zone of `zone_bytes` at the top of 4 GiB. Throws UserError.
[[nodiscard]] std::uint32_t checked_zone_limit(std::uint64_t zone_bytes);

/// The command line for a Linux kernel under a zone that begins at `zone_limit`: where the zone is larger
/// than the default one, Linux is told to keep its fixed mappings below it ("reservetop="), unless the user
/// has said so.
[[nodiscard]] std::string linux_command_line(std::string command_line, std::uint32_t zone_limit);

} // namespace ringone::launcher
