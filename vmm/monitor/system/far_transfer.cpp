// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "vmm/monitor/system/far_transfer.hpp"

#include "vmm/monitor/operands.hpp"
#include "vmm/monitor/system/segmentation.hpp"
#include "vmm/monitor/system/stack_frame.hpp"
#include "vmm/monitor/system/task_switch.hpp"

#include <array>
#include <span>

namespace ringone::vmm {
namespace {

constexpr std::size_t kMaxParameters = 31;

GuestFault general_protection(std::uint16_t selector) {
    return GuestFault::with_code(vector::kGeneralProtection, selector_error(selector));
}

GuestFault not_present(std::uint16_t selector) {
    return GuestFault::with_code(vector::kSegmentNotPresent, selector_error(selector));
}

std::uint16_t with_rpl(std::uint16_t selector, unsigned level) {
    return static_cast<std::uint16_t>((selector & ~kSelectorRplMask) | level);
}

/// Pushes CS and the return EIP; the frame may hold more below them already.
MaybeFault push_return(const VCpu& from, VCpu& next, LinearMemory& memory, StackFrame& frame, std::uint32_t return_eip,
                       std::uint32_t size) {
    frame.push(from.segment(Segment::cs).selector);
    frame.push(return_eip);
    return frame.write(next, memory, size);
}

/// The last step of a transfer to `code`: everything else has been checked.
MaybeFault enter(VCpu& vcpu, VCpu& next, LinearMemory& memory, std::uint16_t selector, Descriptor& code, std::uint32_t eip) {
    if (auto fault = mark_accessed(vcpu, memory, selector, code)) {
        return fault;
    }
    next.segment(Segment::cs) = code.cache(with_rpl(selector, next.cpl));
    next.eip = eip;
    vcpu = next;
    return {};
}

MaybeFault transfer_real(VCpu& vcpu, LinearMemory& memory, const FarTarget& target, bool call) {
    VCpu next = vcpu;
    load_real_segment(next, Segment::cs, target.selector);
    if (target.offset > next.segment(Segment::cs).limit) {
        return GuestFault::with_code(vector::kGeneralProtection, 0);
    }
    if (call) {
        StackFrame frame;
        if (auto fault = push_return(vcpu, next, memory, frame, target.return_eip, target.operand_size)) {
            return fault;
        }
    }
    next.eip = target.offset;
    vcpu = next;
    return {};
}

MaybeFault transfer_code(VCpu& vcpu, LinearMemory& memory, const FarTarget& target, Descriptor& code, bool call) {
    const bool level = code.conforming() ? code.dpl() <= vcpu.cpl
                                         : code.dpl() == vcpu.cpl && rpl(target.selector) <= vcpu.cpl;
    if (!level) {
        return general_protection(target.selector);
    }
    if (!code.present()) {
        return not_present(target.selector);
    }
    if (target.offset > code.limit()) {
        return GuestFault::with_code(vector::kGeneralProtection, 0);
    }
    VCpu next = vcpu;
    if (call) {
        StackFrame frame;
        if (auto fault = push_return(vcpu, next, memory, frame, target.return_eip, target.operand_size)) {
            return fault;
        }
    }
    return enter(vcpu, next, memory, target.selector, code, target.offset);
}

/// Moves `next` to the inner stack and copies the parameters; the frame holds the old SS:ESP below them.
MaybeFault switch_stack(const VCpu& vcpu, VCpu& next, LinearMemory& memory, const Descriptor& gate, unsigned level,
                        StackFrame& frame) {
    const std::uint32_t size = gate.gate_wide() ? 4 : 2;
    const unsigned count = gate.gate_parameters();
    std::uint32_t esp = 0;
    if (auto fault = read_inner_stack(vcpu, memory, level, next.segment(Segment::ss), esp)) {
        return fault;
    }
    std::array<std::uint32_t, kMaxParameters> parameters{};
    for (unsigned i = 0; i < count; ++i) {
        if (auto fault = stack_peek(vcpu, memory, i * size, parameters[i], size)) {
            return fault;
        }
    }
    frame.push(vcpu.segment(Segment::ss).selector);
    frame.push(vcpu.gpr[kEsp]);
    for (unsigned i = count; i > 0; --i) {
        frame.push(parameters[i - 1U]);
    }
    next.gpr[kEsp] = esp;
    next.cpl = static_cast<std::uint8_t>(level);
    return {};
}

MaybeFault transfer_call_gate(VCpu& vcpu, LinearMemory& memory, const FarTarget& target, const Descriptor& gate, bool call) {
    const std::uint16_t selector = gate.gate_selector();
    Descriptor code;
    if (is_null(selector)) {
        return GuestFault::with_code(vector::kGeneralProtection, 0);
    }
    if (auto fault = read_descriptor(vcpu, memory, selector, code)) {
        return fault;
    }
    const bool level = call || code.conforming() ? code.dpl() <= vcpu.cpl : code.dpl() == vcpu.cpl;
    if (!code.code() || !level) {
        return general_protection(selector);
    }
    if (!code.present()) {
        return not_present(selector);
    }
    const bool inner = call && !code.conforming() && code.dpl() < vcpu.cpl;
    VCpu next = vcpu;
    StackFrame frame;
    if (inner) {
        if (auto fault = switch_stack(vcpu, next, memory, gate, code.dpl(), frame)) {
            return fault;
        }
    }
    if (gate.gate_offset() > code.limit()) {
        return GuestFault::with_code(vector::kGeneralProtection, 0);
    }
    if (call) {
        if (auto fault = push_return(vcpu, next, memory, frame, target.return_eip, gate.gate_wide() ? 4 : 2)) {
            if (inner && fault->vector == vector::kStackFault) {
                fault->error_code = selector_error(next.segment(Segment::ss).selector);
            }
            return fault;
        }
    }
    return enter(vcpu, next, memory, selector, code, gate.gate_offset());
}

MaybeFault transfer_task(VCpu& vcpu, LinearMemory& memory, SystemHooks& hooks, const FarTarget& target,
                         std::uint16_t selector, bool call) {
    TaskSwitch request{.selector = selector,
                       .descriptor = {},
                       .cause = call ? TaskSwitchCause::call : TaskSwitchCause::jump,
                       .saved_eip = target.return_eip,
                       .saved_eflags = vcpu.eflags,
                       .has_error_code = false,
                       .error_code = 0};
    if (auto fault = check_tss(vcpu, memory, selector, request.cause, request.descriptor)) {
        return fault;
    }
    return switch_task(vcpu, memory, hooks, request);
}

MaybeFault transfer(VCpu& vcpu, LinearMemory& memory, SystemHooks& hooks, const FarTarget& target, bool call) {
    if (!vcpu.protected_mode() || vcpu.virtual_8086()) {
        return transfer_real(vcpu, memory, target, call);
    }
    if (is_null(target.selector)) {
        return GuestFault::with_code(vector::kGeneralProtection, 0);
    }
    Descriptor descriptor;
    if (auto fault = read_descriptor(vcpu, memory, target.selector, descriptor)) {
        return fault;
    }
    if (descriptor.code()) {
        return transfer_code(vcpu, memory, target, descriptor, call);
    }
    const bool privileged = descriptor.dpl() < vcpu.cpl || descriptor.dpl() < rpl(target.selector);
    if (descriptor.code_or_data() || privileged) {
        return general_protection(target.selector);
    }
    switch (descriptor.type()) {
    case system_type::kCallGate16:
    case system_type::kCallGate32:
        return descriptor.present() ? transfer_call_gate(vcpu, memory, target, descriptor, call)
                                    : not_present(target.selector);
    case system_type::kTaskGate:
        return descriptor.present() ? transfer_task(vcpu, memory, hooks, target, descriptor.gate_selector(), call)
                                    : not_present(target.selector);
    default: return transfer_task(vcpu, memory, hooks, target, target.selector, call);
    }
}

/// Leaves for the outer level `level`: SS:ESP lie behind the popped part of the frame.
MaybeFault return_outer(VCpu& next, LinearMemory& memory, const ReturnFrame& frame, unsigned level) {
    std::uint32_t esp = 0;
    std::uint32_t ss = 0;
    const std::uint32_t skip = frame.popped + frame.parameter_bytes;
    if (auto fault = stack_peek(next, memory, skip, esp, frame.size)) {
        return fault;
    }
    if (auto fault = stack_peek(next, memory, skip + frame.size, ss, frame.size)) {
        return fault;
    }
    SegmentCache stack;
    if (auto fault = check_stack_segment(next, memory, static_cast<std::uint16_t>(ss), level, vector::kGeneralProtection,
                                         stack)) {
        return fault;
    }
    next.segment(Segment::ss) = stack;
    next.cpl = static_cast<std::uint8_t>(level);
    set_stack_pointer(next, esp + frame.parameter_bytes);
    drop_inaccessible_segments(next);
    return {};
}

} // namespace

MaybeFault far_jump(VCpu& vcpu, LinearMemory& memory, SystemHooks& hooks, const FarTarget& target) {
    return transfer(vcpu, memory, hooks, target, false);
}

MaybeFault far_call(VCpu& vcpu, LinearMemory& memory, SystemHooks& hooks, const FarTarget& target) {
    return transfer(vcpu, memory, hooks, target, true);
}

MaybeFault return_to_segment(VCpu& next, LinearMemory& memory, const ReturnFrame& frame) {
    if (is_null(frame.cs)) {
        return GuestFault::with_code(vector::kGeneralProtection, 0);
    }
    Descriptor code;
    if (auto fault = read_descriptor(next, memory, frame.cs, code)) {
        return fault;
    }
    const unsigned level = rpl(frame.cs);
    const bool level_fits = code.conforming() ? code.dpl() <= level : code.dpl() == level;
    if (!code.code() || level < next.cpl || !level_fits) {
        return general_protection(frame.cs);
    }
    if (!code.present()) {
        return not_present(frame.cs);
    }
    if (frame.eip > code.limit()) {
        return GuestFault::with_code(vector::kGeneralProtection, 0);
    }
    if (level > next.cpl) {
        if (auto fault = return_outer(next, memory, frame, level)) {
            return fault;
        }
    } else {
        set_stack_pointer(next, stack_pointer(next) + frame.popped + frame.parameter_bytes);
    }
    if (auto fault = mark_accessed(next, memory, frame.cs, code)) {
        return fault;
    }
    next.segment(Segment::cs) = code.cache(frame.cs);
    next.eip = frame.eip;
    return {};
}

MaybeFault far_return(VCpu& vcpu, LinearMemory& memory, std::uint32_t size, std::uint32_t parameter_bytes) {
    std::uint32_t eip = 0;
    std::uint32_t cs = 0;
    if (auto fault = stack_peek(vcpu, memory, 0, eip, size)) {
        return fault;
    }
    if (auto fault = stack_peek(vcpu, memory, size, cs, size)) {
        return fault;
    }
    VCpu next = vcpu;
    if (vcpu.protected_mode() && !vcpu.virtual_8086()) {
        const ReturnFrame frame{static_cast<std::uint16_t>(cs), eip, size, 2 * size, parameter_bytes};
        if (auto fault = return_to_segment(next, memory, frame)) {
            return fault;
        }
    } else {
        load_real_segment(next, Segment::cs, static_cast<std::uint16_t>(cs));
        if (eip > next.segment(Segment::cs).limit) {
            return GuestFault::with_code(vector::kGeneralProtection, 0);
        }
        next.eip = eip;
        set_stack_pointer(next, stack_pointer(next) + 2 * size + parameter_bytes);
    }
    vcpu = next;
    return {};
}

} // namespace ringone::vmm
