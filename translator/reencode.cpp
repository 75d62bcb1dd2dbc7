// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "translator/reencode.hpp"

#include "translator/instruction_table.hpp"

#include <cstring>

namespace ringone::translator {
namespace {

constexpr std::uint8_t kOperandSize = 0x66;
constexpr std::uint8_t kAddressSize = 0x67;
constexpr std::uint8_t kFs = 0x64;
constexpr std::uint8_t kGs = 0x65;

constexpr bool is_segment_prefix(std::uint8_t b) {
    return b == 0x26 || b == 0x2E || b == 0x36 || b == 0x3E || b == kFs || b == kGs;
}
constexpr bool is_prefix(std::uint8_t b) {
    return is_segment_prefix(b) || b == kOperandSize || b == kAddressSize || b == 0xF0 || b == 0xF2 || b == 0xF3;
}

std::uint32_t count_prefixes(const Instruction& instruction) {
    std::uint32_t n = 0;
    while (n < instruction.length() && is_prefix(instruction.bytes[n])) ++n;
    return n;
}

/// Is 66 an operand size to this instruction? To others it is a part of the opcode, or nothing at all.
bool has_operand_size(const Instruction& instruction) {
    switch (classify(instruction).action) {
    case Action::copy_simd:
    case Action::copy_mmx: return false;
    case Action::copy_x87: return instruction.mnemonic() == ZYDIS_MNEMONIC_FLDENV || instruction.mnemonic() == ZYDIS_MNEMONIC_FRSTOR;
    default: break;
    }
    switch (instruction.mnemonic()) {
    case ZYDIS_MNEMONIC_LFENCE:
    case ZYDIS_MNEMONIC_MFENCE:
    case ZYDIS_MNEMONIC_SFENCE:
    case ZYDIS_MNEMONIC_CLFLUSH:
    case ZYDIS_MNEMONIC_FXSAVE:
    case ZYDIS_MNEMONIC_MOVNTI:
    case ZYDIS_MNEMONIC_CMPXCHG8B: return false;
    default: return true;
    }
}

struct Prefixes {
    bool operand_size = false;
    bool address_size = false;
    std::uint8_t segment = 0; ///< the last override counts
};

enum class AddressSize : std::uint8_t { of_guest, bits32 };

std::uint32_t write(const Instruction& instruction, CodeSize from, SegmentPrefix segment, std::uint32_t prefix_count,
                    std::span<std::uint8_t, kMaxReencodedLength> out, AddressSize address = AddressSize::of_guest) {
    Prefixes guest;
    std::uint32_t n = 0;
    for (std::uint32_t i = 0; i < prefix_count; ++i) {
        const std::uint8_t b = instruction.bytes[i];
        if (b == kOperandSize) guest.operand_size = true;
        else if (b == kAddressSize) guest.address_size = true;
        else if (is_segment_prefix(b)) guest.segment = b;
        else out[n++] = b;
    }
    if (from == CodeSize::bits16) {
        if (has_operand_size(instruction)) guest.operand_size = !guest.operand_size;
        guest.address_size = !guest.address_size;
    }
    if (address == AddressSize::bits32) guest.address_size = false;
    if (segment == SegmentPrefix::fs) guest.segment = kFs;
    if (segment == SegmentPrefix::gs) guest.segment = kGs;
    if (guest.segment != 0) out[n++] = guest.segment;
    if (guest.address_size) out[n++] = kAddressSize;
    if (guest.operand_size) out[n++] = kOperandSize;
    return n;
}

/// Another instruction, with a register and the r/m operand of one that has a one-byte opcode and a ModRM byte.
std::uint32_t load_of_operand(const Instruction& instruction, SegmentPrefix segment, std::span<const std::uint8_t> opcode,
                              std::uint8_t to, std::span<std::uint8_t, kMaxReencodedLength> out) {
    constexpr std::uint8_t kRegisterMask = 7U << 3U;
    const std::uint32_t prefixes = count_prefixes(instruction);
    std::uint32_t n = write(instruction, CodeSize::bits32, segment, prefixes, out);
    for (const std::uint8_t b : opcode) out[n++] = b;
    out[n++] = static_cast<std::uint8_t>((instruction.bytes[prefixes + 1] & ~kRegisterMask) | to << 3U);
    for (std::uint32_t i = prefixes + 2; i < instruction.length(); ++i) out[n++] = instruction.bytes[i];
    return n;
}

} // namespace

std::uint32_t reencode(const Instruction& instruction, CodeSize from, SegmentPrefix segment,
                       std::span<std::uint8_t, kMaxReencodedLength> out) {
    const std::uint32_t prefixes = count_prefixes(instruction);
    std::uint32_t n = write(instruction, from, segment, prefixes, out);
    // The order of F2, F3 and 66 does not matter to the CPU: F2/F3 win over 66 where both could select an opcode.
    for (std::uint32_t i = prefixes; i < instruction.length(); ++i) out[n++] = instruction.bytes[i];
    return n;
}

std::uint32_t reencode_target_load(const Instruction& branch, SegmentPrefix segment,
                                   std::span<std::uint8_t, kMaxReencodedLength> out) {
    constexpr std::uint8_t kMoveLoad[] = {0x8B};
    constexpr std::uint8_t kEcx = 1;
    return load_of_operand(branch, segment, kMoveLoad, kEcx, out);
}

std::uint32_t reencode_selector_load(const Instruction& load, SegmentPrefix segment,
                                     std::span<std::uint8_t, kMaxReencodedLength> out) {
    constexpr std::uint8_t kZeroExtend[] = {0x0F, 0xB7};
    constexpr std::uint8_t kEax = 0;
    return load_of_operand(load, segment, kZeroExtend, kEax, out);
}

std::uint32_t reencode_absolute(const Instruction& instruction, CodeSize from, std::uint32_t displacement,
                                std::span<std::uint8_t, kMaxReencodedLength> out) {
    constexpr std::uint8_t kMoffsFirst = 0xA0; // A0..A3: MOV AL/eAX, moffs and back
    constexpr std::uint8_t kMoveForms[] = {0x8A, 0x8B, 0x88, 0x89};
    constexpr std::uint8_t kRegisterMask = 7U << 3U;
    constexpr std::uint8_t kDisplacementOnly = 5;
    const std::uint32_t prefixes = count_prefixes(instruction);
    std::uint32_t n = write(instruction, from, SegmentPrefix::gs, prefixes, out, AddressSize::bits32);
    const auto put_displacement = [&] {
        std::memcpy(&out[n], &displacement, sizeof displacement);
        n += sizeof displacement;
    };
    const auto& raw = instruction.info.raw;
    if (raw.modrm.offset == 0) {
        const std::uint8_t opcode = instruction.bytes[prefixes];
        if (opcode < kMoffsFirst || opcode >= kMoffsFirst + sizeof kMoveForms) return 0;
        out[n++] = kMoveForms[opcode - kMoffsFirst];
        out[n++] = kDisplacementOnly;
        put_displacement();
        return n;
    }
    if (raw.modrm.mod == 3) return 0;
    for (std::uint32_t i = prefixes; i < raw.modrm.offset; ++i) out[n++] = instruction.bytes[i];
    out[n++] = static_cast<std::uint8_t>((instruction.bytes[raw.modrm.offset] & kRegisterMask) | kDisplacementOnly);
    put_displacement();
    std::uint32_t rest = raw.modrm.offset + 1U;
    if (raw.sib.offset != 0) rest = raw.sib.offset + 1U;
    if (raw.disp.size != 0) rest = raw.disp.offset + raw.disp.size / 8U;
    for (std::uint32_t i = rest; i < instruction.length(); ++i) out[n++] = instruction.bytes[i];
    return n;
}

} // namespace ringone::translator
