// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "vmm/launcher/terminal.hpp"

#include <cstdlib>
#include <exception>
#include <unistd.h>

namespace ringone::launcher {
namespace {

RawTerminal* the_terminal = nullptr; // signal handlers have no other way to find it

} // namespace

RawTerminal::RawTerminal(int fd) : fd_(fd) {
    terminal_ = isatty(fd) == 1 && tcgetattr(fd, &found_) == 0;
    if (!terminal_) return;
    the_terminal = this;
    static const bool registered = [] {
        std::atexit(restore_any);
        std::set_terminate([] {
            restore_any();
            std::abort();
        });
        return true;
    }();
    (void)registered;
    enter();
}

RawTerminal::~RawTerminal() {
    restore();
    if (the_terminal == this) the_terminal = nullptr;
}

bool RawTerminal::in_foreground() const { return !terminal_ || tcgetpgrp(fd_) == getpgrp(); }

void RawTerminal::enter() {
    if (!terminal_ || !in_foreground()) return;
    termios raw = found_;
    cfmakeraw(&raw);
    raw_ = tcsetattr(fd_, TCSADRAIN, &raw) == 0;
}

void RawTerminal::restore() noexcept {
    if (!raw_) return;
    raw_ = false;
    (void)tcsetattr(fd_, TCSANOW, &found_);
}

void RawTerminal::restore_any() noexcept {
    if (the_terminal != nullptr) the_terminal->restore();
}

} // namespace ringone::launcher
