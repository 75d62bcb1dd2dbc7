// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "vmm/monitor/system/debug.hpp"
#include "vmm/monitor/system/event.hpp"
#include "vmm/monitor/system/segmentation.hpp"
#include "vmm/monitor/system/stack_frame.hpp"
#include "vmm/monitor/system/task_switch.hpp"

#include <array>

namespace ringone::vmm {
namespace {

constexpr auto kSupervisor = AccessPrivilege::supervisor;
constexpr std::uint32_t kExternal = 1; ///< EXT bit of an error code
constexpr std::uint32_t kIdt = 2;      ///< IDT bit
constexpr std::uint32_t kIvtEntryBytes = 4;
constexpr std::uint32_t kWordMask = 0xFFFF;

bool is_fault_class(const Event& event) {
    switch (event.vector) {
    case vector::kDebug: // its fault forms push RF as it is (SDM Vol. 3 section 17.3.1.1)
    case vector::kNmi:
    case vector::kBreakpoint:
    case vector::kOverflow:
    case vector::kDoubleFault: return false;
    default: return event.source == EventSource::exception;
    }
}

GuestFault idt_fault(std::uint8_t fault_vector, std::uint8_t event_vector) {
    return GuestFault::with_code(fault_vector, event_vector * kDescriptorBytes + kIdt);
}

GuestFault general_protection(std::uint32_t code) { return GuestFault::with_code(vector::kGeneralProtection, code); }

std::uint32_t pushed_flags(const VCpu& vcpu, const Event& event) {
    return vcpu.eflags | (is_fault_class(event) ? eflags::kResume : 0);
}

MaybeFault deliver_real(VCpu& vcpu, LinearMemory& memory, const Event& event) {
    const std::uint32_t offset = event.vector * kIvtEntryBytes;
    if (offset + kIvtEntryBytes - 1U > vcpu.idtr.limit) {
        return GuestFault::plain(vector::kGeneralProtection);
    }
    std::array<std::uint16_t, 2> entry{};
    if (auto fault = memory.load(vcpu.idtr.base + offset, entry, kSupervisor)) {
        return fault;
    }
    StackFrame frame;
    frame.push(vcpu.eflags & kWordMask);
    frame.push(vcpu.segment(Segment::cs).selector);
    frame.push((vcpu.eip + event.instruction_length) & kWordMask);
    if (auto fault = frame.write(vcpu, memory, 2)) {
        return fault;
    }
    vcpu.eflags &= ~(eflags::kInterrupt | eflags::kTrap | eflags::kAlignmentCheck | eflags::kResume);
    load_real_segment(vcpu, Segment::cs, entry[1]);
    vcpu.eip = entry[0];
    return {};
}

MaybeFault deliver_task(VCpu& vcpu, LinearMemory& memory, SystemHooks& hooks, const Event& event,
                        std::uint16_t selector) {
    TaskSwitch request{.selector = selector,
                       .descriptor = {},
                       .cause = TaskSwitchCause::interrupt,
                       .saved_eip = vcpu.eip + event.instruction_length,
                       .saved_eflags = pushed_flags(vcpu, event),
                       .has_error_code = event.has_error_code,
                       .error_code = event.error_code};
    if (auto fault = check_tss(vcpu, memory, selector, request.cause, request.descriptor)) {
        return fault;
    }
    return switch_task(vcpu, memory, hooks, request);
}

/// Switches `next` to the stack of privilege level `cpl` and starts the frame with the old one.
MaybeFault push_old_stack(const VCpu& old, VCpu& next, LinearMemory& memory, unsigned cpl, StackFrame& frame) {
    std::uint32_t esp = 0;
    if (auto fault = read_inner_stack(old, memory, cpl, next.segment(Segment::ss), esp)) {
        return fault;
    }
    if (old.virtual_8086()) {
        for (const Segment segment : {Segment::gs, Segment::fs, Segment::ds, Segment::es}) {
            frame.push(old.segment(segment).selector);
            load_null_segment(next, segment, 0);
        }
    }
    frame.push(old.segment(Segment::ss).selector);
    frame.push(old.gpr[kEsp]);
    next.gpr[kEsp] = esp;
    next.cpl = static_cast<std::uint8_t>(cpl);
    return {};
}

/// Interrupt and trap gates.
MaybeFault deliver_gate(VCpu& vcpu, LinearMemory& memory, const Event& event, const Descriptor& gate) {
    const std::uint16_t selector = gate.gate_selector();
    if (is_null(selector)) {
        return general_protection(0);
    }
    Descriptor code;
    if (auto fault = read_descriptor(vcpu, memory, selector, code)) {
        return fault;
    }
    if (!code.code() || code.dpl() > vcpu.cpl) {
        return general_protection(selector_error(selector));
    }
    if (!code.present()) {
        return GuestFault::with_code(vector::kSegmentNotPresent, selector_error(selector));
    }
    const bool inner = !code.conforming() && code.dpl() < vcpu.cpl;
    if (vcpu.virtual_8086() && (!inner || code.dpl() != 0)) {
        return general_protection(selector_error(selector));
    }
    VCpu next = vcpu;
    StackFrame frame;
    if (inner) {
        if (auto fault = push_old_stack(vcpu, next, memory, code.dpl(), frame)) {
            return fault;
        }
    }
    if (gate.gate_offset() > code.limit()) {
        return general_protection(0);
    }
    frame.push(pushed_flags(vcpu, event));
    frame.push(vcpu.segment(Segment::cs).selector);
    frame.push(vcpu.eip + event.instruction_length);
    if (event.has_error_code) {
        frame.push(event.error_code);
    }
    if (auto fault = mark_accessed(vcpu, memory, selector, code)) {
        return fault;
    }
    // The frame is written in the new context: VM off, so that the inner stack's limits and privilege count.
    next.eflags &= ~(eflags::kTrap | eflags::kVirtual8086 | eflags::kResume | eflags::kNestedTask);
    if ((gate.type() & system_type::kTrapBit) == 0) {
        next.eflags &= ~eflags::kInterrupt;
    }
    if (auto fault = frame.write(next, memory, gate.gate_wide() ? 4 : 2)) {
        if (inner && fault->vector == vector::kStackFault) {
            fault->error_code = selector_error(next.segment(Segment::ss).selector);
        }
        return fault;
    }
    next.segment(Segment::cs) = code.cache(static_cast<std::uint16_t>((selector & ~kSelectorRplMask) | next.cpl));
    next.eip = gate.gate_offset();
    vcpu = next;
    return {};
}

MaybeFault deliver_protected(VCpu& vcpu, LinearMemory& memory, SystemHooks& hooks, const Event& event) {
    if (vcpu.virtual_8086() && event.source == EventSource::software_int && vcpu.iopl() < 3) {
        return general_protection(0);
    }
    const std::uint32_t offset = event.vector * kDescriptorBytes;
    if (offset + kDescriptorBytes - 1U > vcpu.idtr.limit) {
        return idt_fault(vector::kGeneralProtection, event.vector);
    }
    std::array<std::uint32_t, 2> words{};
    if (auto fault = memory.load(vcpu.idtr.base + offset, words, kSupervisor)) {
        return fault;
    }
    const Descriptor gate{words[0], words[1]};
    const unsigned narrow_type = gate.type() & ~system_type::kWideBit;
    const bool task = gate.system(system_type::kTaskGate);
    const bool handler = !gate.code_or_data() &&
                         (narrow_type == system_type::kInterruptGate16 || narrow_type == system_type::kTrapGate16);
    if ((!task && !handler) || (event.software() && gate.dpl() < vcpu.cpl)) {
        return idt_fault(vector::kGeneralProtection, event.vector);
    }
    if (!gate.present()) {
        return idt_fault(vector::kSegmentNotPresent, event.vector);
    }
    return task ? deliver_task(vcpu, memory, hooks, event, gate.gate_selector())
                : deliver_gate(vcpu, memory, event, gate);
}

enum class FaultClass : std::uint8_t { benign, contributory, page_fault, double_fault };

FaultClass classify(std::uint8_t v) {
    switch (v) {
    case vector::kDivideError:
    case vector::kInvalidTss:
    case vector::kSegmentNotPresent:
    case vector::kStackFault:
    case vector::kGeneralProtection: return FaultClass::contributory;
    case vector::kPageFault: return FaultClass::page_fault;
    case vector::kDoubleFault: return FaultClass::double_fault;
    default: return FaultClass::benign;
    }
}

bool has_selector_code(const GuestFault& fault) {
    return fault.has_error_code && classify(fault.vector) == FaultClass::contributory;
}

} // namespace

std::optional<Event> combine(const Event& first, const GuestFault& second) {
    const bool exception = first.source == EventSource::exception;
    const FaultClass one = exception ? classify(first.vector) : FaultClass::benign;
    const FaultClass two = classify(second.vector);
    const bool serial = one == FaultClass::benign || two == FaultClass::benign ||
                        (one == FaultClass::contributory && two == FaultClass::page_fault);
    if (serial) {
        return Event::from_fault(second);
    }
    if (one == FaultClass::double_fault) {
        return {};
    }
    return Event::from_fault(GuestFault::with_code(vector::kDoubleFault, 0));
}

Delivery deliver(VCpu& vcpu, LinearMemory& memory, SystemHooks& hooks, const Event& event) {
    Event current = event;
    vcpu.halted = false;
    vcpu.shadow = InterruptShadow::none;
    for (;;) {
        if (current.source == EventSource::exception && current.vector == vector::kPageFault) {
            vcpu.cr2 = current.cr2;
        }
        MaybeFault fault = vcpu.protected_mode() ? deliver_protected(vcpu, memory, hooks, current)
                                                 : deliver_real(vcpu, memory, current);
        if (!fault) {
            if (current.source == EventSource::exception && current.vector == vector::kDebug) {
                vcpu.dr[7] &= ~dr7::kGeneralDetect;
            }
            return Delivery::delivered;
        }
        if (has_selector_code(*fault) && !current.software()) {
            fault->error_code |= kExternal;
        }
        if (fault->vector == vector::kPageFault) {
            vcpu.cr2 = fault->cr2; // also where it becomes a double fault
        }
        const std::optional<Event> following = combine(current, *fault);
        if (!following) {
            return Delivery::shutdown;
        }
        current = *following;
    }
}

} // namespace ringone::vmm
