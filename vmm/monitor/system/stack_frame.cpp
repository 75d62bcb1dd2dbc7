// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "vmm/monitor/system/stack_frame.hpp"

#include "vmm/monitor/operands.hpp"

#include <cstring>

namespace ringone::vmm {
MaybeFault StackFrame::write_slots(const VCpu& vcpu, LinearMemory& memory, std::uint32_t size, std::uint32_t mask) const {
    for (const bool probing : {true, false}) {
        std::uint32_t top = stack_pointer(vcpu);
        for (std::size_t i = 0; i < count_; ++i) {
            top = (top - size) & mask;
            std::uint32_t linear = 0;
            if (auto fault = check_segment(vcpu, Segment::ss, top, size, AccessType::write, linear)) {
                return fault;
            }
            const auto bytes = std::as_bytes(std::span(&values_[i], 1)).first(size);
            const auto fault = probing ? memory.probe(linear, size, AccessType::write, current_privilege(vcpu))
                                       : memory.write(linear, bytes, current_privilege(vcpu));
            if (fault) {
                return fault;
            }
        }
    }
    return {};
}

MaybeFault StackFrame::write(VCpu& vcpu, LinearMemory& memory, std::uint32_t size) const {
    const std::uint32_t mask = vcpu.segment(Segment::ss).big() ? 0xFFFF'FFFFU : 0xFFFFU;
    const auto total = static_cast<std::uint32_t>(count_) * size;
    const std::uint32_t start = stack_pointer(vcpu);
    const std::uint32_t top = (start - total) & mask;
    std::uint32_t linear = 0;
    bool written = false;
    if (start >= total && !check_segment(vcpu, Segment::ss, top, total, AccessType::write, linear)) {
        std::array<std::byte, kCapacity * sizeof(std::uint32_t)> image;
        for (std::uint32_t i = 0; i < count_; ++i) {
            std::memcpy(&image[total - (i + 1U) * size], &values_[i], size);
        }
        written = !memory.write(linear, std::span(image).first(total), current_privilege(vcpu));
    }
    if (!written) {
        // The stack wraps or some slot faults: go slot by slot, as the CPU does, to fault where the CPU does.
        if (auto fault = write_slots(vcpu, memory, size, mask)) {
            return fault;
        }
    }
    set_stack_pointer(vcpu, top);
    return {};
}

} // namespace ringone::vmm
