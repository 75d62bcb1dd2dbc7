// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "vmm/launcher/standard_streams.hpp"

#include "vmm/launcher/exit_status.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <string_view>
#include <sys/uio.h>
#include <unistd.h>

namespace ringone::launcher {

void open_closed_standard_streams() noexcept {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
            (void)open("/dev/null", O_RDWR); // the lowest that is free: fd
}

FileDescriptor reopen_terminal_nonblocking(int fd) {
    if (isatty(fd) != 1) return FileDescriptor();
    return FileDescriptor(
        open(fmt::format("/proc/self/fd/{}", fd).c_str(), O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
}

void tell(const std::string& line) noexcept try {
    const std::string text = fmt::format("ringone: {}\n", line);
    const FileDescriptor terminal = reopen_terminal_nonblocking(STDERR_FILENO);
    const int fd = terminal.get() >= 0 ? terminal.get() : STDERR_FILENO;
    std::string_view rest = text;
    while (!rest.empty()) {
        const ssize_t count = write(fd, rest.data(), rest.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return;
        rest.remove_prefix(static_cast<std::size_t>(count));
    }
} catch (const std::bad_alloc&) {
    // Nobody to tell.
}

void tell_in_signal_handler(const char* what, const char* reason) noexcept {
    const char* const words[] = {"ringone: ", what, ": ", reason, "\n"};
    iovec parts[std::size(words)];
    for (std::size_t i = 0; i < std::size(words); ++i) parts[i] = {const_cast<char*>(words[i]), std::strlen(words[i])};
    (void)!writev(STDERR_FILENO, parts, static_cast<int>(std::size(parts)));
}

void flush_standard_output() {
    if (std::fflush(stdout) != 0)
        throw UserError(fmt::format("cannot write to standard output: {}", std::strerror(errno)));
    if (std::ferror(stdout) != 0) throw UserError("cannot write to standard output"); // at some time before
}

} // namespace ringone::launcher
