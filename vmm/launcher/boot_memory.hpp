// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace ringone::launcher {

/// One entry of the memory map that firmware would report (INT 15h AX=E820h; ACPI 1.0b chapter 14).
struct MemoryRange {
    static constexpr std::uint32_t kUsable = 1;
    static constexpr std::uint32_t kReserved = 2;

    std::uint64_t base;
    std::uint64_t bytes;
    std::uint32_t type;
};

/// Guest RAM while it is filled before the first instruction: keeps account of what lies where.
class BootMemory {
public:
    static constexpr std::uint32_t kConventionalEnd = 0x9FC00; ///< the EBDA begins here
    static constexpr std::uint32_t kOneMiB = 0x100000;

    /// Takes what is not the guest's below 1 MiB: BIOS data, EBDA, video and firmware addresses.
    explicit BootMemory(std::span<std::uint8_t> ram);

    [[nodiscard]] std::uint64_t bytes() const { return ram_.size(); }
    /// Takes [address, address + bytes) for `what`. Throws UserError when it is not all RAM, or taken.
    void take(std::uint64_t address, std::uint64_t bytes, const std::string& what);
    /// A free place in [from, below), as low or as high as possible. `alignment` is a power of two.
    [[nodiscard]] std::optional<std::uint32_t> find_lowest(std::uint64_t bytes, std::uint64_t alignment,
                                                           std::uint64_t from, std::uint64_t below) const;
    [[nodiscard]] std::optional<std::uint32_t> find_highest(std::uint64_t bytes, std::uint64_t alignment,
                                                            std::uint64_t from, std::uint64_t below) const;
    /// Writes into RAM, taken or not. The range must be RAM.
    void write(std::uint32_t address, std::span<const std::uint8_t> bytes);
    /// Takes a low place for `bytes` and writes them there.
    std::uint32_t place_low(std::span<const std::uint8_t> bytes, const std::string& what);

    [[nodiscard]] std::vector<MemoryRange> map() const;

private:
    struct Taken {
        std::uint64_t begin, end;
        std::string what;
    };

    [[nodiscard]] const Taken* overlap(std::uint64_t begin, std::uint64_t end) const;

    std::span<std::uint8_t> ram_;
    std::vector<Taken> taken_;
};

/// The bytes of a string with its closing zero.
[[nodiscard]] std::vector<std::uint8_t> c_string(const std::string& text);

} // namespace ringone::launcher
