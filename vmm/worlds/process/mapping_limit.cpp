// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "vmm/worlds/process/mapping_limit.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <fcntl.h>
#include <limits>
#include <unistd.h>

namespace ringone::vmm::process {
namespace {

constexpr std::uint64_t kUsualLimit = 65530;    // Linux, include/linux/mm.h: DEFAULT_MAX_MAP_COUNT
constexpr std::uint64_t kUsualMappings = 128;   // of a program with a dozen libraries
constexpr std::uint64_t kOthersMappings = 48;   // to come: stacks and heaps of threads, large allocations
constexpr std::uint64_t kMappingsOfOneRun = 2;

/// Calls each(byte) for all of a file. False when it cannot be read.
template <typename Each>
bool for_each_byte(const char* path, Each each) {
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    char bytes[4096];
    ssize_t count = 0;
    do {
        count = read(fd, bytes, sizeof bytes);
        for (ssize_t i = 0; i < count; ++i) each(bytes[i]);
    } while (count > 0 || (count < 0 && errno == EINTR));
    close(fd);
    return count == 0;
}

} // namespace

std::uint32_t runs_within(std::uint64_t most, std::uint64_t used) {
    const std::uint64_t taken = used + kOthersMappings;
    if (most <= taken) return 0;
    constexpr std::uint64_t kMax = std::numeric_limits<std::uint32_t>::max();
    return static_cast<std::uint32_t>(std::min((most - taken) / kMappingsOfOneRun, kMax));
}

std::uint32_t runs_of_this_process() {
    std::uint64_t most = 0;
    const bool limited = for_each_byte("/proc/sys/vm/max_map_count", [&most](char digit) {
        if (digit >= '0' && digit <= '9') most = most * 10 + static_cast<std::uint64_t>(digit - '0');
    });
    std::uint64_t used = 0;
    const bool counted = for_each_byte("/proc/self/maps", [&used](char byte) { used += byte == '\n' ? 1 : 0; });
    return runs_within(limited ? most : kUsualLimit, counted ? used : kUsualMappings);
}

} // namespace ringone::vmm::process
