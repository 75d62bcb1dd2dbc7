// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "vmm/monitor/guest_fault.hpp"
#include "vmm/monitor/vcpu.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace ringone::vmm {

/// Runs single instructions on the CPU, for the emulator.
class NativeRunner {
public:
    /// Memory that such an instruction reaches as GS:[scratch_offset()], 64-byte aligned.
    [[nodiscard]] virtual std::span<std::byte> scratch() = 0;
    [[nodiscard]] virtual std::uint32_t scratch_offset() = 0;
    /// Executes 32-bit code (one instruction, no branch) with the guest's general registers, status flags and
    /// x87/SSE state; they change as it changes them, EIP stays. On a fault nothing has changed.
    [[nodiscard]] virtual MaybeFault run(std::span<const std::uint8_t> code, VCpu& vcpu) = 0;
    /// The guest EIP of the x87 instruction that ran at a hardware code address; 0 when it is not known any more, the address
    /// itself where no fragment can be.
    [[nodiscard]] virtual std::uint32_t guest_eip_of(std::uint32_t hardware_address) = 0;

protected:
    ~NativeRunner() = default;
};

} // namespace ringone::vmm
