// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "vmm/monitor/guest_fault.hpp"
#include "vmm/monitor/memory_access.hpp"
#include "vmm/monitor/vcpu.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace ringone::vmm {

/// Values that one far transfer pushes, written all or none.
class StackFrame {
public:
    /// 31 parameters of a call gate and SS, ESP, CS, EIP.
    static constexpr std::size_t kCapacity = 35;

    void push(std::uint32_t value) { values_[count_++] = value; }

    /// Pushes the values, `size` (2 or 4) bytes each, on SS:ESP of `vcpu` at its CPL and moves its ESP. #SS(0) past the limit.
    [[nodiscard]] MaybeFault write(VCpu& vcpu, LinearMemory& memory, std::uint32_t size) const;

private:
    [[nodiscard]] MaybeFault write_slots(const VCpu& vcpu, LinearMemory& memory, std::uint32_t size, std::uint32_t mask) const;

    std::array<std::uint32_t, kCapacity> values_;
    std::size_t count_ = 0;
};

} // namespace ringone::vmm
