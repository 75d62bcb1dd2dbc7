// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace ringone::tests {

/// Calls `each` with 15 bytes for every opcode of the four maps, with every ModRM byte, behind none, one or two
/// prefixes; and for every 3DNow! suffix.
template <typename Each>
void for_each_encoding(Each each) {
    using Bytes = std::vector<std::uint8_t>;
    static const Bytes kPrefixes[] = {{},           {0x66},       {0xF2},       {0xF3},       {0x67},      {0xF0},
                                      {0x2E},       {0x65},       {0x66, 0xF2}, {0x66, 0xF3}, {0xF3, 0x66}, {0xF2, 0xF3},
                                      {0x67, 0x66}, {0x65, 0x66}};
    static const Bytes kMaps[] = {{}, {0x0F}, {0x0F, 0x38}, {0x0F, 0x3A}};
    constexpr std::size_t kLength = 15;
    constexpr std::uint8_t kFiller = 0x11; // a displacement or an immediate
    const auto call = [&](Bytes bytes) {
        bytes.resize(kLength, kFiller);
        each(std::span<const std::uint8_t>(bytes));
    };
    for (const Bytes& prefixes : kPrefixes) {
        for (const Bytes& map : kMaps)
            for (unsigned opcode = 0; opcode < 256; ++opcode)
                for (unsigned modrm = 0; modrm < 256; ++modrm) {
                    Bytes bytes = prefixes;
                    bytes.insert(bytes.end(), map.begin(), map.end());
                    bytes.push_back(static_cast<std::uint8_t>(opcode));
                    bytes.push_back(static_cast<std::uint8_t>(modrm));
                    call(bytes);
                }
        for (unsigned suffix = 0; suffix < 256; ++suffix)
            for (const unsigned modrm : {0x01U, 0xC1U}) {
                Bytes bytes = prefixes;
                for (const unsigned b : {0x0FU, 0x0FU, modrm, suffix})
                    bytes.push_back(static_cast<std::uint8_t>(b));
                call(bytes);
            }
    }
}

} // namespace ringone::tests
