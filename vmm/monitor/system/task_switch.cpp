// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "vmm/monitor/system/task_switch.hpp"

#include "vmm/monitor/operands.hpp"
#include "vmm/monitor/system/debug.hpp"
#include "vmm/monitor/system/segmentation.hpp"
#include "vmm/monitor/system/stack_frame.hpp"
#include "vmm/monitor/system/tss.hpp"

#include <array>
#include <cstring>
#include <span>

namespace ringone::vmm {
namespace {

constexpr auto kSupervisor = AccessPrivilege::supervisor;
constexpr std::uint32_t kLoadableFlags = 0x003F'7FD5; ///< EFLAGS bits that exist

/// A task's state as its TSS holds it, of either format.
struct TaskState {
    std::uint32_t cr3 = 0;
    std::uint32_t eip = 0;
    std::uint32_t flags = 0;
    std::array<std::uint32_t, 8> gpr{};
    std::array<std::uint16_t, kSegmentCount> selectors{};
    std::uint16_t ldt = 0;
    bool debug_trap = false;
};

GuestFault tss_fault(std::uint16_t selector) {
    return GuestFault::with_code(vector::kInvalidTss, selector_error(selector));
}

template <typename T>
T field(std::span<const std::byte> image, std::uint32_t offset) {
    T value{};
    std::memcpy(&value, &image[offset], sizeof value);
    return value;
}

TaskState decode32(std::span<const std::byte> image) {
    TaskState state;
    state.cr3 = field<std::uint32_t>(image, tss32::kCr3);
    state.eip = field<std::uint32_t>(image, tss32::kEip);
    state.flags = field<std::uint32_t>(image, tss32::kEflags);
    for (std::uint32_t i = 0; i < state.gpr.size(); ++i) {
        state.gpr[i] = field<std::uint32_t>(image, tss32::kEax + 4 * i);
    }
    for (std::uint32_t i = 0; i < tss32::kSegments; ++i) {
        state.selectors[i] = field<std::uint16_t>(image, tss32::kEs + 4 * i);
    }
    state.ldt = field<std::uint16_t>(image, tss32::kLdt);
    state.debug_trap = (field<std::uint16_t>(image, tss32::kDebugTrap) & 1U) != 0;
    return state;
}

TaskState decode16(std::span<const std::byte> image) {
    TaskState state;
    state.eip = field<std::uint16_t>(image, tss16::kIp);
    state.flags = field<std::uint16_t>(image, tss16::kFlags);
    for (std::uint32_t i = 0; i < state.gpr.size(); ++i) {
        state.gpr[i] = field<std::uint16_t>(image, tss16::kAx + 2 * i);
    }
    for (std::uint32_t i = 0; i < tss16::kSegments; ++i) {
        state.selectors[i] = field<std::uint16_t>(image, tss16::kEs + 2 * i);
    }
    state.ldt = field<std::uint16_t>(image, tss16::kLdt);
    return state;
}

/// EIP, EFLAGS, registers and selectors into the current TSS: the fields a switch saves are contiguous.
MaybeFault save_task(const VCpu& vcpu, LinearMemory& memory, const TaskSwitch& request, std::uint32_t flags, bool write) {
    const bool wide = (vcpu.tr.type() & system_type::kWideBit) != 0;
    const std::uint32_t slot = wide ? 4 : 2;
    const std::uint32_t first = wide ? tss32::kEip : tss16::kIp;
    const std::uint32_t segments = wide ? tss32::kSegments : tss16::kSegments;
    const std::uint32_t total = (2 + static_cast<std::uint32_t>(vcpu.gpr.size()) + segments) * slot;
    if (!vcpu.tr.usable || first + total - 1U > vcpu.tr.limit) {
        return tss_fault(vcpu.tr.selector);
    }
    if (!write) {
        return memory.probe(vcpu.tr.base + first, total, AccessType::write, kSupervisor);
    }
    std::array<std::byte, (2 + 8 + tss32::kSegments) * 4> image{};
    std::uint32_t offset = 0;
    const auto put = [&](std::uint32_t value) {
        std::memcpy(&image[offset], &value, slot);
        offset += slot;
    };
    put(request.saved_eip);
    put(flags);
    for (const std::uint32_t value : vcpu.gpr) {
        put(value);
    }
    for (std::uint32_t i = 0; i < segments; ++i) {
        put(vcpu.segments[i].selector);
    }
    return memory.write(vcpu.tr.base + first, std::span(image).first(total), kSupervisor);
}

MaybeFault write_type(const VCpu& vcpu, LinearMemory& memory, std::uint16_t selector, unsigned set, unsigned clear) {
    const auto address = descriptor_address(vcpu, selector);
    if (!address) {
        return tss_fault(selector);
    }
    std::uint8_t access = 0;
    if (auto fault = memory.load(*address + kAccessByte, access, kSupervisor)) {
        return fault;
    }
    access = static_cast<std::uint8_t>((access | set) & ~clear);
    return memory.store(*address + kAccessByte, access, kSupervisor);
}

MaybeFault probe_type(const VCpu& vcpu, LinearMemory& memory, std::uint16_t selector) {
    const auto address = descriptor_address(vcpu, selector);
    return address ? memory.probe(*address + kAccessByte, 1, AccessType::write, kSupervisor) : tss_fault(selector);
}

MaybeFault load_task_ldt(VCpu& vcpu, LinearMemory& memory, std::uint16_t selector) {
    if (is_null(selector)) {
        return {};
    }
    Descriptor descriptor;
    if ((selector & kSelectorLocal) != 0) {
        return tss_fault(selector);
    }
    if (auto fault = read_descriptor(vcpu, memory, selector, descriptor, vector::kInvalidTss)) {
        return fault;
    }
    if (!descriptor.system(system_type::kLdt) || !descriptor.present()) {
        return tss_fault(selector);
    }
    vcpu.ldtr = descriptor.cache(selector);
    return {};
}

MaybeFault load_task_code(VCpu& vcpu, LinearMemory& memory, std::uint16_t selector) {
    if (is_null(selector)) {
        return tss_fault(selector);
    }
    Descriptor descriptor;
    if (auto fault = read_descriptor(vcpu, memory, selector, descriptor, vector::kInvalidTss)) {
        return fault;
    }
    const bool level = descriptor.conforming() ? descriptor.dpl() <= rpl(selector) : descriptor.dpl() == rpl(selector);
    if (!descriptor.code() || !level) {
        return tss_fault(selector);
    }
    if (!descriptor.present()) {
        return GuestFault::with_code(vector::kSegmentNotPresent, selector_error(selector));
    }
    if (auto fault = mark_accessed(vcpu, memory, selector, descriptor)) {
        return fault;
    }
    vcpu.segment(Segment::cs) = descriptor.cache(selector);
    return {};
}

MaybeFault load_task_segments(VCpu& vcpu, LinearMemory& memory, const TaskState& state) {
    if (auto fault = load_task_ldt(vcpu, memory, state.ldt)) {
        return fault;
    }
    if (vcpu.virtual_8086()) {
        for (std::size_t i = 0; i < kSegmentCount; ++i) {
            load_real_segment(vcpu, static_cast<Segment>(i), state.selectors[i]);
        }
        return {};
    }
    if (auto fault = load_task_code(vcpu, memory, vcpu.segment(Segment::cs).selector)) {
        return fault;
    }
    SegmentCache& ss = vcpu.segment(Segment::ss);
    if (auto fault = check_stack_segment(vcpu, memory, ss.selector, vcpu.cpl, vector::kInvalidTss, ss)) {
        return fault;
    }
    for (const Segment segment : {Segment::ds, Segment::es, Segment::fs, Segment::gs}) {
        if (auto fault = load_segment(vcpu, memory, segment, vcpu.segment(segment).selector)) {
            // The checks are those of a load; their general protection fault is an invalid TSS here (table 7-1).
            fault->vector = fault->vector == vector::kGeneralProtection ? vector::kInvalidTss : fault->vector;
            return fault;
        }
    }
    return {};
}

/// Registers of the new task; segment caches are not valid yet.
VCpu enter_task(const VCpu& old, const TaskSwitch& request, const TaskState& state, bool wide) {
    VCpu next = old;
    const bool nested = request.cause == TaskSwitchCause::call || request.cause == TaskSwitchCause::interrupt;
    next.gpr = state.gpr;
    next.eip = state.eip;
    next.eflags = (state.flags & kLoadableFlags) | eflags::kFixed | (nested ? eflags::kNestedTask : 0);
    for (std::size_t i = 0; i < kSegmentCount; ++i) {
        next.segments[i] = {state.selectors[i], 0, 0, 0, false};
    }
    next.ldtr = {state.ldt, 0, 0, 0, false};
    next.tr = request.descriptor.cache(request.selector);
    next.tr.attributes |= system_type::kBusyBit;
    next.cr0 |= cr0::kTs;
    next.dr[7] &= ~dr7::kLocalEnables;
    next.cpl = next.virtual_8086() ? 3 : static_cast<std::uint8_t>(rpl(next.segment(Segment::cs).selector));
    if (wide && next.paging()) {
        next.cr3 = state.cr3;
    }
    return next;
}

MaybeFault finish_task_switch(VCpu& vcpu, LinearMemory& memory, const TaskSwitch& request, const TaskState& state, bool wide) {
    if (auto fault = load_task_segments(vcpu, memory, state)) {
        return fault;
    }
    if (request.has_error_code) {
        StackFrame frame;
        frame.push(request.error_code);
        if (auto fault = frame.write(vcpu, memory, wide ? 4 : 2)) {
            return fault;
        }
    }
    if (vcpu.eip > vcpu.segment(Segment::cs).limit) {
        return GuestFault::with_code(vector::kGeneralProtection, 0);
    }
    if (state.debug_trap) {
        vcpu.dr[6] |= dr6::kTaskSwitch;
        return GuestFault::plain(vector::kDebug);
    }
    return {};
}

} // namespace

MaybeFault check_tss(const VCpu& vcpu, LinearMemory& memory, std::uint16_t selector, TaskSwitchCause cause, Descriptor& out) {
    const bool returning = cause == TaskSwitchCause::iret;
    const std::uint8_t bad = returning ? vector::kInvalidTss : vector::kGeneralProtection;
    if ((selector & kSelectorLocal) != 0) {
        return GuestFault::with_code(bad, selector_error(selector));
    }
    if (auto fault = read_descriptor(vcpu, memory, selector, out, bad)) {
        return fault;
    }
    const bool right_type = returning
                                ? out.system(system_type::kTss16Busy) || out.system(system_type::kTss32Busy)
                                : out.system(system_type::kTss16Available) || out.system(system_type::kTss32Available);
    if (!right_type) {
        return GuestFault::with_code(bad, selector_error(selector));
    }
    if (!out.present()) {
        return GuestFault::with_code(vector::kSegmentNotPresent, selector_error(selector));
    }
    return {};
}

MaybeFault switch_task(VCpu& vcpu, LinearMemory& memory, SystemHooks& hooks, const TaskSwitch& request) {
    const bool wide = (request.descriptor.type() & system_type::kWideBit) != 0;
    const std::uint32_t bytes = wide ? tss32::kBytes : tss16::kBytes;
    const bool leaves = request.cause == TaskSwitchCause::jump || request.cause == TaskSwitchCause::iret;
    const std::uint16_t old_selector = vcpu.tr.selector;
    const std::uint32_t base = request.descriptor.base();
    if (request.descriptor.limit() < bytes - 1U) {
        return tss_fault(request.selector);
    }
    std::array<std::byte, tss32::kBytes> image{};
    if (auto fault = memory.read(base, std::span(image).first(bytes), kSupervisor)) {
        return fault;
    }
    const std::uint32_t saved_flags =
        request.cause == TaskSwitchCause::iret ? request.saved_eflags & ~eflags::kNestedTask : request.saved_eflags;
    if (auto fault = save_task(vcpu, memory, request, saved_flags, false)) {
        return fault;
    }
    if (leaves) {
        if (auto fault = probe_type(vcpu, memory, old_selector)) {
            return fault;
        }
    }
    if (auto fault = probe_type(vcpu, memory, request.selector)) {
        return fault;
    }
    if (!leaves) {
        if (auto fault = memory.store(base + kTssBackLink, old_selector, kSupervisor)) {
            return fault;
        }
    }
    if (auto fault = save_task(vcpu, memory, request, saved_flags, true)) {
        return fault;
    }
    if (leaves) {
        if (auto fault = write_type(vcpu, memory, old_selector, 0, system_type::kBusyBit)) {
            return fault;
        }
    }
    if (request.cause != TaskSwitchCause::iret) {
        if (auto fault = write_type(vcpu, memory, request.selector, system_type::kBusyBit, 0)) {
            return fault;
        }
    }
    const TaskState state = wide ? decode32(image) : decode16(image);
    const VCpu next = enter_task(vcpu, request, state, wide);
    if (next.cr3 != vcpu.cr3 &&
        !hooks.on_paging_change(vcpu, next, {.flush_global = false, .load_pdptes = (vcpu.cr4 & cr4::kPae) != 0})) {
        return GuestFault::with_code(vector::kGeneralProtection, 0);
    }
    vcpu = next;
    return finish_task_switch(vcpu, memory, request, state, wide);
}

} // namespace ringone::vmm
