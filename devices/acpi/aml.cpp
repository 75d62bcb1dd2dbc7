// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "devices/acpi/aml.hpp"

#include "devices/base/bits.hpp"

#include <cstddef>

namespace ringone::devices::aml {

namespace {

constexpr std::uint8_t kZeroOp = 0x00, kOneOp = 0x01, kNameOp = 0x08;
constexpr std::uint8_t kBytePrefix = 0x0A, kWordPrefix = 0x0B, kDwordPrefix = 0x0C;
constexpr std::uint8_t kScopeOp = 0x10, kBufferOp = 0x11, kPackageOp = 0x12;
constexpr std::uint8_t kExtendedPrefix = 0x5B, kDeviceOp = 0x82;

constexpr std::size_t kShortPackage = 0x3F; ///< the longest with a one-byte PkgLength
constexpr std::uint8_t kIoPortTag = 0x47, kDecodes16 = 0x01, kEndTag = 0x79;
constexpr std::uint8_t kWordAddressTag = 0x88, kDwordAddressTag = 0x87;
constexpr std::uint8_t kMemoryRange = 0, kIoRange = 1, kBusNumberRange = 2;
constexpr std::uint8_t kFixedProducer = 0x0C; ///< both ends fixed, positive decode, passed on by a bridge
constexpr std::uint8_t kReadWrite = 0x01, kEntireRange = 0x03;

void put(Bytes& to, std::uint32_t value, std::uint32_t bytes) {
    for (std::uint32_t i = 0; i < bytes; ++i) {
        to.push_back(byte_of(value, i));
    }
}

void append(Bytes& to, const Bytes& from) {
    to.insert(to.end(), from.begin(), from.end());
}

Bytes text(std::string_view characters) {
    return {characters.begin(), characters.end()};
}

/// PkgLength and content (ACPI 1.0b, 16.2.4): the length counts its own bytes.
Bytes with_length(const Bytes& content) {
    Bytes result;
    if (content.size() + 1 <= kShortPackage) {
        result.push_back(low_byte(static_cast<std::uint32_t>(content.size() + 1)));
    } else {
        std::uint32_t following = 1; // bytes after the lead byte, which holds four bits of the length
        while ((content.size() + 1 + following) >> (4U + 8U * following) != 0) {
            ++following;
        }
        const auto length = static_cast<std::uint32_t>(content.size() + 1 + following);
        result.push_back(low_byte(following << 6U | (length & 0xFU)));
        put(result, length >> 4U, following);
    }
    append(result, content);
    return result;
}

Bytes block(std::span<const std::uint8_t> opcode, std::string_view name, const Bytes& content) {
    Bytes inner = text(name);
    append(inner, content);
    Bytes result(opcode.begin(), opcode.end());
    append(result, with_length(inner));
    return result;
}

Bytes address_window(std::uint8_t tag, std::uint32_t width, std::uint8_t type, std::uint8_t type_flags,
                     std::uint32_t first, std::uint32_t last) {
    constexpr std::uint32_t kFlagBytes = 3, kFields = 5;
    Bytes result{tag};
    put(result, kFlagBytes + kFields * width, 2);
    append(result, {type, kFixedProducer, type_flags});
    const std::uint32_t granularity = 0, translation = 0;
    for (const std::uint32_t field : {granularity, first, last, translation, last - first + 1}) {
        put(result, field, width);
    }
    return result;
}

} // namespace

Bytes integer(std::uint32_t value) {
    if (value <= 1) {
        return {value == 0 ? kZeroOp : kOneOp};
    }
    const std::uint32_t bytes = value <= all_ones(1) ? 1 : value <= all_ones(2) ? 2 : 4;
    Bytes result{bytes == 1 ? kBytePrefix : bytes == 2 ? kWordPrefix : kDwordPrefix};
    put(result, value, bytes);
    return result;
}

Bytes eisa_id(std::string_view id) {
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    std::uint32_t value = 0;
    for (const char letter : id.substr(0, 3)) { // five bits each, A is 1
        value = value << 5U | (static_cast<std::uint32_t>(letter - 'A' + 1) & 0x1FU);
    }
    for (const char digit : id.substr(3)) {
        value = value << 4U | (static_cast<std::uint32_t>(kDigits.find(digit)) & 0xFU);
    }
    Bytes result{kDwordPrefix}; // the identifier itself is big-endian
    for (std::uint32_t i = sizeof(value); i-- > 0;) {
        result.push_back(byte_of(value, i));
    }
    return result;
}

Bytes name(std::string_view name, const Bytes& value) {
    Bytes result{kNameOp};
    append(result, text(name));
    append(result, value);
    return result;
}

Bytes package(std::span<const Bytes> elements) {
    Bytes inner{low_byte(static_cast<std::uint32_t>(elements.size()))};
    append(inner, concatenate(elements));
    Bytes result{kPackageOp};
    append(result, with_length(inner));
    return result;
}

Bytes buffer(const Bytes& content) {
    Bytes inner = integer(static_cast<std::uint32_t>(content.size()));
    append(inner, content);
    Bytes result{kBufferOp};
    append(result, with_length(inner));
    return result;
}

Bytes scope(std::string_view name, const Bytes& content) {
    constexpr std::uint8_t kOpcode[] = {kScopeOp};
    return block(kOpcode, name, content);
}

Bytes device(std::string_view name, const Bytes& content) {
    constexpr std::uint8_t kOpcode[] = {kExtendedPrefix, kDeviceOp};
    return block(kOpcode, name, content);
}

Bytes io_ports(std::uint16_t first, std::uint8_t count) {
    Bytes result{kIoPortTag, kDecodes16};
    put(result, first, 2); // least and greatest base
    put(result, first, 2);
    append(result, {1, count});
    return result;
}

Bytes bus_number_window(std::uint16_t first, std::uint16_t last) {
    return address_window(kWordAddressTag, 2, kBusNumberRange, 0, first, last);
}

Bytes io_window(std::uint16_t first, std::uint16_t last) {
    return address_window(kWordAddressTag, 2, kIoRange, kEntireRange, first, last);
}

Bytes memory_window(std::uint32_t first, std::uint32_t last) {
    return address_window(kDwordAddressTag, 4, kMemoryRange, kReadWrite, first, last);
}

Bytes end_of_resources() {
    return {kEndTag, 0}; // a zero checksum: not used
}

Bytes concatenate(std::span<const Bytes> parts) {
    Bytes result;
    for (const Bytes& part : parts) {
        append(result, part);
    }
    return result;
}

} // namespace ringone::devices::aml
