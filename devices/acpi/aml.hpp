// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace ringone::devices::aml {

using Bytes = std::vector<std::uint8_t>;

/// Emitters of ACPI machine language (ACPI 1.0b, chapter 16) and resource descriptors (chapter 6.4). Names are written
/// as they go into the byte stream: four characters a segment, `\` for the root.
[[nodiscard]] Bytes integer(std::uint32_t value);
/// A compressed EISA identifier, such as "PNP0A03".
[[nodiscard]] Bytes eisa_id(std::string_view id);
[[nodiscard]] Bytes name(std::string_view name, const Bytes& value);
[[nodiscard]] Bytes package(std::span<const Bytes> elements);
[[nodiscard]] Bytes buffer(const Bytes& content);
[[nodiscard]] Bytes scope(std::string_view name, const Bytes& content);
[[nodiscard]] Bytes device(std::string_view name, const Bytes& content);

/// Ports a device decodes itself (16-bit decoding).
[[nodiscard]] Bytes io_ports(std::uint16_t first, std::uint8_t count);
/// Ranges a bridge passes on; both ends included.
[[nodiscard]] Bytes bus_number_window(std::uint16_t first, std::uint16_t last);
[[nodiscard]] Bytes io_window(std::uint16_t first, std::uint16_t last);
[[nodiscard]] Bytes memory_window(std::uint32_t first, std::uint32_t last);
[[nodiscard]] Bytes end_of_resources();

[[nodiscard]] Bytes concatenate(std::span<const Bytes> parts);

} // namespace ringone::devices::aml
