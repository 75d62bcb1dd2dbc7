// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include <stdexcept>

namespace ringone::launcher {

/// What the `ringone` command ends with, besides the guest's own debug-exit code.
inline constexpr int kExitSuccess = 0;      ///< power-off, reset, or left by the user
inline constexpr int kExitUserError = 2;    ///< wrong use, unusable files, a host that cannot run guests
inline constexpr int kExitStopped = 3;      ///< the monitor stopped the VM
inline constexpr int kExitSignalBase = 128; ///< plus the signal that ended the run, as shells report it

/// Something the user can put right. what() is one line without the program's name.
class UserError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

} // namespace ringone::launcher
