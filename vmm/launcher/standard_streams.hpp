// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "vmm/launcher/file_descriptor.hpp"

#include <string>

namespace ringone::launcher {

/// Opens /dev/null in the place of standard input, output and error where they are closed: otherwise the
/// first files we open, guest memory among them, would be taken for them. Before anything else is opened.
void open_closed_standard_streams() noexcept;

/// A terminal opened once more, so that writing to it never blocks; the flag would be the other users' too if
/// it were set on `fd` itself. None for anything but a terminal, or where that is not allowed.
[[nodiscard]] FileDescriptor reopen_terminal_nonblocking(int fd);

/// Writes "ringone: LINE" to standard error. A user who is gone, or whose terminal takes nothing, is not
/// told.
void tell(const std::string& line) noexcept;
/// "ringone: WHAT: REASON", async-signal-safe.
void tell_in_signal_handler(const char* what, const char* reason) noexcept;

/// Writes what stdio still holds of standard output. Throws UserError when any of it was lost.
void flush_standard_output();

} // namespace ringone::launcher
