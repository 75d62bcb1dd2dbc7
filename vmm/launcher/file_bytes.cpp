// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "vmm/launcher/file_bytes.hpp"

#include "vmm/launcher/exit_status.hpp"
#include "vmm/launcher/file_descriptor.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

namespace ringone::launcher {

std::vector<std::uint8_t> read_file(const std::string& path, const char* what, std::uint64_t most) {
    const auto fail = [&]() -> UserError {
        return UserError(fmt::format("cannot read the {} {}: {}", what, path, std::strerror(errno)));
    };
    const FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (file.get() < 0) throw fail();
    constexpr std::size_t kChunk = std::size_t{1} << 20U;
    std::vector<std::uint8_t> bytes;
    std::size_t used = 0;
    for (;;) {
        bytes.resize(used + kChunk);
        const ssize_t count = read(file.get(), bytes.data() + used, kChunk);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) throw fail();
        if (count == 0) break;
        used += static_cast<std::size_t>(count);
        if (used > most)
            throw UserError(fmt::format("the {} {} does not fit in the guest's memory of {} MiB", what, path,
                                        most >> 20U));
    }
    bytes.resize(used);
    return bytes;
}

} // namespace ringone::launcher
