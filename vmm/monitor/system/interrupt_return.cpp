// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "vmm/monitor/operands.hpp"
#include "vmm/monitor/system/far_transfer.hpp"
#include "vmm/monitor/system/flags.hpp"
#include "vmm/monitor/system/segmentation.hpp"
#include "vmm/monitor/system/task_switch.hpp"
#include "vmm/monitor/system/tss.hpp"

#include <array>

namespace ringone::vmm {
namespace {

constexpr std::uint32_t kFramePointers = 3; ///< EIP, CS, EFLAGS
constexpr std::uint32_t kV86Slots = 9;      ///< and ESP, SS, ES, DS, FS, GS

MaybeFault return_nested(VCpu& vcpu, LinearMemory& memory, SystemHooks& hooks, std::uint32_t return_eip) {
    std::uint16_t link = 0;
    if (auto fault = memory.load(vcpu.tr.base + kTssBackLink, link, AccessPrivilege::supervisor)) {
        return fault;
    }
    TaskSwitch request{.selector = link,
                       .descriptor = {},
                       .cause = TaskSwitchCause::iret,
                       .saved_eip = return_eip,
                       .saved_eflags = vcpu.eflags,
                       .has_error_code = false,
                       .error_code = 0};
    if (auto fault = check_tss(vcpu, memory, link, request.cause, request.descriptor)) {
        return fault;
    }
    return switch_task(vcpu, memory, hooks, request);
}

/// To virtual-8086 mode, from CPL 0 with VM set in the popped flags.
MaybeFault return_to_v86(VCpu& next, LinearMemory& memory, std::uint32_t eip, std::uint16_t cs, std::uint32_t flags) {
    std::array<std::uint32_t, kV86Slots - kFramePointers> outer{};
    for (std::uint32_t i = 0; i < outer.size(); ++i) {
        if (auto fault = stack_peek(next, memory, (kFramePointers + i) * 4, outer[i], 4)) {
            return fault;
        }
    }
    next.eflags = flags;
    next.cpl = 3;
    load_real_segment(next, Segment::cs, cs);
    if (eip > next.segment(Segment::cs).limit) {
        return GuestFault::with_code(vector::kGeneralProtection, 0);
    }
    constexpr std::array kOrder{Segment::ss, Segment::es, Segment::ds, Segment::fs, Segment::gs};
    for (std::size_t i = 0; i < kOrder.size(); ++i) {
        load_real_segment(next, kOrder[i], static_cast<std::uint16_t>(outer[i + 1]));
    }
    next.gpr[kEsp] = outer[0];
    next.eip = eip;
    return {};
}

} // namespace

MaybeFault interrupt_return(VCpu& vcpu, LinearMemory& memory, SystemHooks& hooks, std::uint32_t size,
                            std::uint32_t return_eip) {
    const bool segmented = vcpu.protected_mode() && !vcpu.virtual_8086();
    if (vcpu.virtual_8086() && vcpu.iopl() < 3) {
        return GuestFault::with_code(vector::kGeneralProtection, 0);
    }
    if (segmented && (vcpu.eflags & eflags::kNestedTask) != 0) {
        return return_nested(vcpu, memory, hooks, return_eip);
    }
    std::array<std::uint32_t, kFramePointers> frame{};
    for (std::uint32_t i = 0; i < frame.size(); ++i) {
        if (auto fault = stack_peek(vcpu, memory, i * size, frame[i], size)) {
            return fault;
        }
    }
    const std::uint32_t eip = frame[0];
    const auto cs = static_cast<std::uint16_t>(frame[1]);
    VCpu next = vcpu;
    if (!segmented) {
        load_real_segment(next, Segment::cs, cs);
        if (eip > next.segment(Segment::cs).limit) {
            return GuestFault::with_code(vector::kGeneralProtection, 0);
        }
        next.eip = eip;
        set_stack_pointer(next, stack_pointer(next) + kFramePointers * size);
        next.eflags = flags_after_iret(vcpu, frame[2], size);
    } else if (size == 4 && vcpu.cpl == 0 && (frame[2] & eflags::kVirtual8086) != 0) {
        if (auto fault = return_to_v86(next, memory, eip, cs, flags_for_v86(frame[2]))) {
            return fault;
        }
    } else {
        const std::uint32_t flags = flags_after_iret(vcpu, frame[2], size);
        if (auto fault = return_to_segment(next, memory, {cs, eip, size, kFramePointers * size, 0})) {
            return fault;
        }
        next.eflags = flags;
    }
    vcpu = next;
    return {};
}

} // namespace ringone::vmm
