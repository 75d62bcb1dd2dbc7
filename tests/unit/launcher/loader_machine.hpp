// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "vmm/launcher/exit_status.hpp"
#include "vmm/launcher/kernel_loader.hpp"
#include "vmm/launcher/little_endian.hpp"
#include "vmm/worlds/process/process_world.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ringone::launcher {

inline constexpr std::size_t kMiB = std::size_t{1} << 20U;

/// What a user would read, or "" when nothing is wrong. It must be one line.
template <typename Action>
std::string user_error(Action action) {
    try {
        action();
    } catch (const UserError& error) {
        EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
        return error.what();
    }
    return "";
}

inline testing::AssertionResult contains(const std::string& text, const std::string& part) {
    if (!part.empty() && text.find(part) != std::string::npos) return testing::AssertionSuccess();
    return testing::AssertionFailure() << '"' << text << "\" has no \"" << part << '"';
}

/// RAM, and files to load into it.
struct LoaderMachine {
    explicit LoaderMachine(std::vector<std::uint8_t> kernel_file, std::size_t ram_bytes = 64 * kMiB)
        : ram(ram_bytes), kernel(std::move(kernel_file)) {}

    EntryState load() { return load_kernel(files(), memory); }
    std::string error() {
        return user_error([this] { (void)load(); });
    }
    [[nodiscard]] BootFiles files() const {
        BootFiles result{{"kernel.img", kernel}, {}, command_line, zone_limit};
        if (initrd) result.initrd = BootFile{"initrd.img", *initrd};
        return result;
    }
    template <typename T>
    [[nodiscard]] T at(std::size_t address) const {
        return little<T>(ram, address);
    }
    [[nodiscard]] std::string text(std::size_t address) const {
        return reinterpret_cast<const char*>(ram.data() + address);
    }
    [[nodiscard]] std::vector<std::uint8_t> bytes(std::size_t address, std::size_t count) const {
        const auto first = ram.begin() + static_cast<std::ptrdiff_t>(address);
        return {first, first + static_cast<std::ptrdiff_t>(count)};
    }

    std::vector<std::uint8_t> ram, kernel;
    BootMemory memory{ram};
    std::optional<std::vector<std::uint8_t>> initrd;
    std::string command_line;
    std::uint32_t zone_limit = vmm::kDefaultZoneLimit;
};

/// Bytes that tell where they have come from.
inline std::vector<std::uint8_t> pattern(std::size_t count, std::uint8_t seed) {
    std::vector<std::uint8_t> bytes(count);
    for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::uint8_t>(seed + i * 7 + (i >> 8U));
    return bytes;
}

} // namespace ringone::launcher
