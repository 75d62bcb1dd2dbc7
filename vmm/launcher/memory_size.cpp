// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "vmm/launcher/memory_size.hpp"

#include "devices/platform/pc_layout.hpp"
#include "vmm/launcher/exit_status.hpp"
#include "vmm/worlds/process/process_world.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>

namespace ringone::launcher {
namespace {

constexpr std::uint64_t kKiB = 1U << 10U, kMiB = 1U << 20U, kGiB = 1U << 30U;
constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kLeastMemory = 2 * kMiB; ///< kernels load at 1 MiB
constexpr std::uint64_t kLeastZone = vmm::kDefaultZoneLimit == 0 ? 0 : (4 * kGiB - vmm::kDefaultZoneLimit);
constexpr std::uint64_t kMostZone = kGiB;

} // namespace

std::uint64_t parse_size(const std::string& text, const char* option) {
    std::uint64_t value = 0;
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, value);
    const std::string_view suffix(rest, static_cast<std::size_t>(end - rest));
    std::uint64_t unit = 0;
    if (suffix == "K" || suffix == "k") unit = kKiB;
    if (suffix == "M" || suffix == "m" || suffix.empty()) unit = kMiB;
    if (suffix == "G" || suffix == "g") unit = kGiB;
    if (error != std::errc{} || unit == 0)
        throw UserError(fmt::format("{} {}: not a size like 64M or 1G", option, text));
    if (value > 4 * kGiB / unit)
        throw UserError(fmt::format("{} {}: more than a 32-bit machine has", option, text));
    if (value * unit % kPage != 0)
        throw UserError(fmt::format("{} {}: not a multiple of 4 KiB", option, text));
    return value * unit;
}

std::uint32_t checked_memory_size(std::uint64_t bytes, std::uint32_t zone_limit) {
    if (bytes < kLeastMemory)
        throw UserError(fmt::format("-m: {} KiB are too small a memory, the least is {} MiB", bytes / kKiB,
                                    kLeastMemory / kMiB));
    const std::uint64_t most = std::min(devices::pc::kPciMemoryFirst, zone_limit);
    if (bytes > most)
        throw UserError(fmt::format("-m: {} MiB are more than can be mapped, the most is {} MiB",
                                    bytes / kMiB, most / kMiB));
    return static_cast<std::uint32_t>(bytes);
}

std::uint32_t checked_zone_limit(std::uint64_t zone_bytes) {
    if (zone_bytes < kLeastZone || zone_bytes > kMostZone)
        throw UserError(fmt::format("--zone: the monitor zone has {} MiB to {} MiB", kLeastZone / kMiB,
                                    kMostZone / kMiB));
    return static_cast<std::uint32_t>(4 * kGiB - zone_bytes);
}

std::string linux_command_line(std::string command_line, std::uint32_t zone_limit) {
    const bool said = (' ' + command_line).find(" reservetop=") != std::string::npos;
    if (zone_limit >= vmm::kDefaultZoneLimit || said) return command_line;
    if (!command_line.empty()) command_line += ' ';
    return command_line + fmt::format("reservetop={:#x}", 4 * kGiB - zone_limit);
}

} // namespace ringone::launcher
