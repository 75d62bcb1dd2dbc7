// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "translator/options.hpp"
#include "vmm/launcher/program_image.hpp"

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <string>

namespace ringone::launcher {

struct TranslateSettings {
    translator::Options translation;
    translator::CodeSize bits = translator::CodeSize::bits32;
    std::uint32_t start = 0;  ///< guest EIP of the first block
    std::uint32_t blocks = 0; ///< list at most so many
    bool stubs = false;       ///< also list what lies outside the fragments' bodies
    bool side_table = false;
};

/// The listing: blocks beside their fragments, as guest kernel code, breadth-first along direct branches from the
/// start; and totals. Throws UserError when there is no code at the start.
[[nodiscard]] std::string list_translation(ProgramImage& program, const TranslateSettings& settings);

/// Adds `ringone translate` to the command line. Its `command`, set when the user asked for it, gives the exit
/// status and throws UserError.
void add_translate(CLI::App& app, std::function<int()>& command);

} // namespace ringone::launcher
