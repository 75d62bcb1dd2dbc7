// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "vmm/monitor/system/port_io.hpp"

#include "vmm/monitor/operands.hpp"
#include "vmm/monitor/system/descriptor.hpp"
#include "vmm/monitor/system/tss.hpp"

#include <algorithm>
#include <span>

namespace ringone::vmm {
namespace {

using translator::Instruction;

constexpr auto kSupervisor = AccessPrivilege::supervisor;
constexpr std::uint32_t kPortsPerByte = 8;

GuestFault general_protection() { return GuestFault::with_code(vector::kGeneralProtection, 0); }

/// REPNE acts as REP on these instructions.
bool is_repeated(const Instruction& insn) {
    constexpr std::uint8_t kRep = 0xF3;
    constexpr std::uint8_t kRepne = 0xF2;
    const std::span prefixes(insn.info.raw.prefixes, insn.info.raw.prefix_count);
    return std::ranges::any_of(prefixes, [](const auto& prefix) { return prefix.value == kRep || prefix.value == kRepne; });
}

/// A register of the instruction's address size.
ZydisRegister sized(const Instruction& insn, ZydisRegister wide, ZydisRegister narrow) {
    return insn.info.address_width == 16 ? narrow : wide;
}

MaybeFault check_bitmap(const VCpu& vcpu, LinearMemory& memory, std::uint16_t port, std::uint32_t size) {
    const bool wide = (vcpu.tr.type() & system_type::kWideBit) != 0;
    if (!vcpu.tr.usable || !wide || vcpu.tr.limit < tss32::kIoMapBase + 1U) {
        return general_protection();
    }
    std::uint16_t map = 0;
    if (auto fault = memory.load(vcpu.tr.base + tss32::kIoMapBase, map, kSupervisor)) {
        return fault;
    }
    // Two bytes are read even where one would do, so the map needs a byte of ones behind it.
    const std::uint32_t offset = map + port / kPortsPerByte;
    if (offset + 1U > vcpu.tr.limit) {
        return general_protection();
    }
    std::uint16_t permissions = 0;
    if (auto fault = memory.load(vcpu.tr.base + offset, permissions, kSupervisor)) {
        return fault;
    }
    const std::uint32_t mask = ((1U << size) - 1U) << (port % kPortsPerByte);
    return (permissions & mask) != 0 ? MaybeFault(general_protection()) : MaybeFault{};
}

MaybeFault port_operand(const VCpu& vcpu, LinearMemory& memory, const Instruction& insn, const ZydisDecodedOperand& operand,
                        std::uint32_t size, std::uint16_t& port) {
    std::uint32_t value = 0;
    if (auto fault = read_operand(vcpu, memory, insn, operand, value)) {
        return fault;
    }
    port = static_cast<std::uint16_t>(operand.type == ZYDIS_OPERAND_TYPE_IMMEDIATE ? value & 0xFFU : value);
    return check_port(vcpu, memory, port, size);
}

MaybeFault input_element(const VCpu& vcpu, LinearMemory& memory, IoBus& bus, std::uint32_t offset, std::uint16_t port,
                         std::uint32_t size) {
    // The port read may have side effects: the destination must be known to be good before it.
    if (auto fault = probe_memory(vcpu, memory, Segment::es, offset, size, AccessType::write)) {
        return fault;
    }
    const std::uint32_t value = bus.io_read(port, size);
    return write_memory(vcpu, memory, Segment::es, offset, std::as_bytes(std::span(&value, 1)).first(size));
}

MaybeFault output_element(const VCpu& vcpu, LinearMemory& memory, IoBus& bus, Segment segment, std::uint32_t offset,
                          std::uint16_t port, std::uint32_t size) {
    std::uint32_t value = 0;
    if (auto fault = read_memory(vcpu, memory, segment, offset, std::as_writable_bytes(std::span(&value, 1)).first(size))) {
        return fault;
    }
    bus.io_write(port, size, value);
    return {};
}

} // namespace

MaybeFault check_port(const VCpu& vcpu, LinearMemory& memory, std::uint16_t port, std::uint32_t size) {
    const bool free = !vcpu.protected_mode() || (!vcpu.virtual_8086() && vcpu.cpl <= vcpu.iopl());
    return free ? MaybeFault{} : check_bitmap(vcpu, memory, port, size);
}

MaybeFault execute_in(VCpu& vcpu, LinearMemory& memory, IoBus& bus, const Instruction& insn) {
    const std::uint32_t size = insn.operands[0].size / 8U;
    std::uint16_t port = 0;
    if (auto fault = port_operand(vcpu, memory, insn, insn.operands[1], size, port)) {
        return fault;
    }
    write_gpr(vcpu, insn.operands[0].reg.value, bus.io_read(port, size));
    return {};
}

MaybeFault execute_out(const VCpu& vcpu, LinearMemory& memory, IoBus& bus, const Instruction& insn) {
    const std::uint32_t size = insn.operands[1].size / 8U;
    std::uint16_t port = 0;
    if (auto fault = port_operand(vcpu, memory, insn, insn.operands[0], size, port)) {
        return fault;
    }
    bus.io_write(port, size, read_gpr(vcpu, insn.operands[1].reg.value));
    return {};
}

MaybeFault execute_string_io(VCpu& vcpu, LinearMemory& memory, IoBus& bus, const Instruction& insn, bool input,
                             std::uint32_t size, bool& again) {
    const bool repeated = is_repeated(insn);
    const ZydisRegister count = sized(insn, ZYDIS_REGISTER_ECX, ZYDIS_REGISTER_CX);
    const ZydisRegister index = input ? sized(insn, ZYDIS_REGISTER_EDI, ZYDIS_REGISTER_DI)
                                      : sized(insn, ZYDIS_REGISTER_ESI, ZYDIS_REGISTER_SI);
    const ZydisRegister override = insn.segment_override();
    const Segment source = override == ZYDIS_REGISTER_NONE ? Segment::ds : to_segment(override);
    const std::uint32_t step = (vcpu.eflags & eflags::kDirection) != 0 ? 0U - size : size;
    const auto port = static_cast<std::uint16_t>(vcpu.gpr[kEdx]);
    again = false;
    if (auto fault = check_port(vcpu, memory, port, size)) {
        return fault;
    }
    for (std::uint32_t done = 0; !repeated || read_gpr(vcpu, count) != 0; ++done) {
        const bool traps = done != 0 && ((vcpu.eflags & eflags::kTrap) != 0 || memory.stop_repeating());
        if (traps || done == kMaxStringIterations) {
            again = true;
            return {};
        }
        const std::uint32_t offset = read_gpr(vcpu, index);
        auto fault = input ? input_element(vcpu, memory, bus, offset, port, size)
                           : output_element(vcpu, memory, bus, source, offset, port, size);
        if (fault) {
            return fault;
        }
        write_gpr(vcpu, index, offset + step);
        if (!repeated) {
            return {};
        }
        write_gpr(vcpu, count, read_gpr(vcpu, count) - 1U);
    }
    return {};
}

} // namespace ringone::vmm
