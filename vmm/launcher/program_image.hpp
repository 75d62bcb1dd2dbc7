// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "translator/plan.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace ringone::launcher {

/// A program's code as it lies in its address space, for looking at; nothing of it is run.
class ProgramImage final : public translator::CodeSource {
public:
    /// An i386 ELF file: its loadable segments at their virtual addresses, where its entry point is sought, too.
    /// Throws UserError.
    [[nodiscard]] static ProgramImage from_elf(const std::string& path, std::vector<std::uint8_t> file);
    /// Plain code, loaded and begun at `address`. Throws UserError.
    [[nodiscard]] static ProgramImage from_flat(const std::string& path, std::vector<std::uint8_t> file,
                                                std::uint32_t address);

    [[nodiscard]] std::uint32_t entry() const { return entry_; }

    [[nodiscard]] std::uint32_t fetch(std::uint32_t linear, std::span<std::uint8_t> to) override;
    [[nodiscard]] std::uint32_t physical_page(std::uint32_t linear) override;

private:
    /// Bytes of the file at an address, zeros behind them.
    struct Part {
        std::uint32_t address;
        std::size_t file_offset, file_bytes;
        std::uint32_t memory_bytes;
    };

    ProgramImage(std::vector<std::uint8_t> file, std::uint32_t entry) : file_(std::move(file)), entry_(entry) {}

    std::vector<std::uint8_t> file_;
    std::vector<Part> parts_;
    std::uint32_t entry_;
};

} // namespace ringone::launcher
