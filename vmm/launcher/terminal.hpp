// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include <termios.h>

namespace ringone::launcher {

/// The user's terminal in raw mode while a machine runs. On anything but a terminal nothing happens. One a process:
/// whatever ends the process (exit(), abort(), a fatal signal) finds it and puts the terminal back first.
class RawTerminal {
public:
    explicit RawTerminal(int fd);
    ~RawTerminal();
    RawTerminal(const RawTerminal&) = delete;
    RawTerminal& operator=(const RawTerminal&) = delete;

    [[nodiscard]] bool is_terminal() const { return terminal_; }
    /// May this process read the terminal now, or does another job have it?
    [[nodiscard]] bool in_foreground() const;
    /// Raw mode; in the background it waits for the next call.
    void enter();
    /// The modes as they were found. Async-signal-safe.
    void restore() noexcept;
    /// restore() of the one there is. Async-signal-safe.
    static void restore_any() noexcept;

private:
    int fd_;
    bool terminal_ = false;
    bool raw_ = false;
    termios found_{};
};

} // namespace ringone::launcher
