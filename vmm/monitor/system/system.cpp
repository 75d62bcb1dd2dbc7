// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "vmm/monitor/system/system.hpp"

#include "vmm/monitor/operands.hpp"
#include "vmm/monitor/system/control_registers.hpp"
#include "vmm/monitor/system/descriptor_instructions.hpp"
#include "vmm/monitor/system/far_transfer.hpp"
#include "vmm/monitor/system/fast_call.hpp"
#include "vmm/monitor/system/flags.hpp"
#include "vmm/monitor/system/msr.hpp"
#include "vmm/monitor/system/port_io.hpp"
#include "vmm/monitor/system/segment_instructions.hpp"

namespace ringone::vmm {
namespace {

using translator::Instruction;
using Kind = Outcome::Kind;

GuestFault general_protection() { return GuestFault::with_code(vector::kGeneralProtection, 0); }
GuestFault invalid_opcode() { return GuestFault::plain(vector::kInvalidOpcode); }

bool between(ZydisRegister reg, ZydisRegister first, ZydisRegister last) { return reg >= first && reg <= last; }
bool is_control(ZydisRegister reg) { return between(reg, ZYDIS_REGISTER_CR0, ZYDIS_REGISTER_CR15); }
bool is_debug(ZydisRegister reg) { return between(reg, ZYDIS_REGISTER_DR0, ZYDIS_REGISTER_DR15); }

/// #GP(0) unless CPL = 0 (real-address mode counts as 0). MOV to and from CRn and DRn check for themselves.
bool needs_level_zero(ZydisMnemonic mnemonic) {
    switch (mnemonic) {
    case ZYDIS_MNEMONIC_HLT:
    case ZYDIS_MNEMONIC_CLTS:
    case ZYDIS_MNEMONIC_LMSW:
    case ZYDIS_MNEMONIC_LGDT:
    case ZYDIS_MNEMONIC_LIDT:
    case ZYDIS_MNEMONIC_LLDT:
    case ZYDIS_MNEMONIC_LTR:
    case ZYDIS_MNEMONIC_INVD:
    case ZYDIS_MNEMONIC_WBINVD:
    case ZYDIS_MNEMONIC_INVLPG:
    case ZYDIS_MNEMONIC_RDMSR:
    case ZYDIS_MNEMONIC_WRMSR: return true;
    default: return false;
    }
}

/// One instruction and what it acts on.
class Executor {
public:
    Executor(VCpu& vcpu, LinearMemory& memory, IoBus& bus, SystemHooks& hooks, const Instruction& insn)
        : vcpu_(vcpu), memory_(memory), bus_(bus), hooks_(hooks), insn_(insn) {}

    [[nodiscard]] Outcome run();

private:
    [[nodiscard]] std::uint32_t operand_bytes() const { return insn_.info.operand_width == 16 ? 2 : 4; }
    [[nodiscard]] Outcome next(const MaybeFault& fault);
    [[nodiscard]] Outcome jumped(const MaybeFault& fault) { return Outcome::of(fault, Kind::jumped); }

    [[nodiscard]] Outcome run_transfer();
    [[nodiscard]] Outcome run_register();
    [[nodiscard]] Outcome string_io(bool input, std::uint32_t size);
    [[nodiscard]] Outcome far(bool call);
    [[nodiscard]] Outcome far_ret();
    [[nodiscard]] Outcome interrupt(std::uint8_t vector, EventSource source);
    [[nodiscard]] Outcome halt();
    [[nodiscard]] MaybeFault move();
    [[nodiscard]] MaybeFault load_system_register(bool task);
    [[nodiscard]] MaybeFault load_status_word();
    [[nodiscard]] MaybeFault invalidate_page();
    [[nodiscard]] MaybeFault time_stamp();
    [[nodiscard]] MaybeFault model_specific(bool write);
    void identify();

    VCpu& vcpu_;
    LinearMemory& memory_;
    IoBus& bus_;
    SystemHooks& hooks_;
    const Instruction& insn_;
};

Outcome Executor::next(const MaybeFault& fault) {
    if (!fault) {
        vcpu_.eip = insn_.next_eip();
    }
    return Outcome::of(fault, Kind::next);
}

Outcome Executor::run() {
    const bool protected_only = insn_.mnemonic() == ZYDIS_MNEMONIC_LLDT || insn_.mnemonic() == ZYDIS_MNEMONIC_LTR;
    if (protected_only && (!vcpu_.protected_mode() || vcpu_.virtual_8086())) {
        return next(invalid_opcode());
    }
    if (needs_level_zero(insn_.mnemonic()) && vcpu_.cpl != 0) {
        return next(general_protection());
    }
    vcpu_.shadow = InterruptShadow::none;
    return run_transfer();
}

/// Everything that leaves the straight line.
Outcome Executor::run_transfer() {
    switch (insn_.mnemonic()) {
    case ZYDIS_MNEMONIC_JMP: return far(false);
    case ZYDIS_MNEMONIC_CALL: return far(true);
    case ZYDIS_MNEMONIC_RET: return far_ret();
    case ZYDIS_MNEMONIC_IRET:
    case ZYDIS_MNEMONIC_IRETD:
        return jumped(interrupt_return(vcpu_, memory_, hooks_, operand_bytes(), insn_.next_eip()));
    case ZYDIS_MNEMONIC_SYSENTER: return jumped(system_enter(vcpu_));
    case ZYDIS_MNEMONIC_SYSEXIT: return jumped(system_exit(vcpu_));
    case ZYDIS_MNEMONIC_INT:
        return interrupt(static_cast<std::uint8_t>(insn_.operands[0].imm.value.u), EventSource::software_int);
    case ZYDIS_MNEMONIC_INT3: return interrupt(vector::kBreakpoint, EventSource::int3);
    case ZYDIS_MNEMONIC_INT1: return interrupt(vector::kDebug, EventSource::exception);
    case ZYDIS_MNEMONIC_INTO:
        return (vcpu_.eflags & eflags::kOverflow) != 0 ? interrupt(vector::kOverflow, EventSource::into) : next({});
    case ZYDIS_MNEMONIC_HLT: return halt();
    case ZYDIS_MNEMONIC_INSB: return string_io(true, 1);
    case ZYDIS_MNEMONIC_INSW: return string_io(true, 2);
    case ZYDIS_MNEMONIC_INSD: return string_io(true, 4);
    case ZYDIS_MNEMONIC_OUTSB: return string_io(false, 1);
    case ZYDIS_MNEMONIC_OUTSW: return string_io(false, 2);
    case ZYDIS_MNEMONIC_OUTSD: return string_io(false, 4);
    default: return run_register();
    }
}

/// Everything that goes on behind the instruction.
Outcome Executor::run_register() {
    switch (insn_.mnemonic()) {
    case ZYDIS_MNEMONIC_MOV: return next(move());
    case ZYDIS_MNEMONIC_PUSH: return next(push_segment(vcpu_, memory_, insn_));
    case ZYDIS_MNEMONIC_POP: return next(pop_segment(vcpu_, memory_, insn_));
    case ZYDIS_MNEMONIC_LDS:
    case ZYDIS_MNEMONIC_LES:
    case ZYDIS_MNEMONIC_LFS:
    case ZYDIS_MNEMONIC_LGS:
    case ZYDIS_MNEMONIC_LSS: return next(load_far_pointer(vcpu_, memory_, insn_));
    case ZYDIS_MNEMONIC_CLI: return next(clear_interrupt_flag(vcpu_));
    case ZYDIS_MNEMONIC_STI: return next(set_interrupt_flag(vcpu_));
    case ZYDIS_MNEMONIC_PUSHF:
    case ZYDIS_MNEMONIC_PUSHFD: return next(push_flags(vcpu_, memory_, operand_bytes()));
    case ZYDIS_MNEMONIC_POPF:
    case ZYDIS_MNEMONIC_POPFD: return next(pop_flags(vcpu_, memory_, operand_bytes()));
    case ZYDIS_MNEMONIC_IN: return next(execute_in(vcpu_, memory_, bus_, insn_));
    case ZYDIS_MNEMONIC_OUT: return next(execute_out(vcpu_, memory_, bus_, insn_));
    case ZYDIS_MNEMONIC_CLTS: vcpu_.cr0 &= ~cr0::kTs; return next({});
    case ZYDIS_MNEMONIC_LMSW: return next(load_status_word());
    case ZYDIS_MNEMONIC_SMSW: return next(write_operand(vcpu_, memory_, insn_, insn_.operands[0], vcpu_.cr0));
    case ZYDIS_MNEMONIC_LGDT:
    case ZYDIS_MNEMONIC_LIDT:
    case ZYDIS_MNEMONIC_SGDT:
    case ZYDIS_MNEMONIC_SIDT: return next(execute_table_register(vcpu_, memory_, insn_));
    case ZYDIS_MNEMONIC_LLDT: return next(load_system_register(false));
    case ZYDIS_MNEMONIC_LTR: return next(load_system_register(true));
    case ZYDIS_MNEMONIC_SLDT:
    case ZYDIS_MNEMONIC_STR: return next(execute_store_selector(vcpu_, memory_, insn_));
    case ZYDIS_MNEMONIC_LAR:
    case ZYDIS_MNEMONIC_LSL:
    case ZYDIS_MNEMONIC_VERR:
    case ZYDIS_MNEMONIC_VERW:
    case ZYDIS_MNEMONIC_ARPL: return next(execute_selector_query(vcpu_, memory_, insn_));
    case ZYDIS_MNEMONIC_INVLPG: return next(invalidate_page());
    case ZYDIS_MNEMONIC_INVD:
    case ZYDIS_MNEMONIC_WBINVD: return next({}); // the caches that hold guest memory are the host's, and coherent
    case ZYDIS_MNEMONIC_RDMSR: return next(model_specific(false));
    case ZYDIS_MNEMONIC_WRMSR: return next(model_specific(true));
    case ZYDIS_MNEMONIC_RDTSC: return next(time_stamp());
    case ZYDIS_MNEMONIC_RDPMC: return next(general_protection()); // CPUID announces no counters, so every index is invalid
    case ZYDIS_MNEMONIC_CPUID: identify(); return next({});
    default: return next(invalid_opcode());
    }
}

Outcome Executor::string_io(bool input, std::uint32_t size) {
    bool again = false;
    const MaybeFault fault = execute_string_io(vcpu_, memory_, bus_, insn_, input, size, again);
    return !fault && again ? Outcome{Kind::repeat, {}} : next(fault);
}

Outcome Executor::far(bool call) {
    if (insn_.info.meta.branch_type != ZYDIS_BRANCH_TYPE_FAR) {
        return next(invalid_opcode());
    }
    FarTarget target{.selector = 0, .offset = 0, .operand_size = operand_bytes(), .return_eip = insn_.next_eip()};
    const ZydisDecodedOperand& operand = insn_.operands[0];
    if (operand.type == ZYDIS_OPERAND_TYPE_POINTER) {
        target.selector = operand.ptr.segment;
        target.offset = operand.ptr.offset & size_mask(target.operand_size);
    } else if (auto fault = read_far_pointer(vcpu_, memory_, insn_, operand, target.selector, target.offset)) {
        return jumped(fault);
    }
    return jumped(call ? far_call(vcpu_, memory_, hooks_, target) : far_jump(vcpu_, memory_, hooks_, target));
}

Outcome Executor::far_ret() {
    if (insn_.info.meta.branch_type != ZYDIS_BRANCH_TYPE_FAR) {
        return next(invalid_opcode());
    }
    const bool immediate = !insn_.visible().empty();
    const std::uint32_t release = immediate ? static_cast<std::uint32_t>(insn_.operands[0].imm.value.u) : 0;
    return jumped(far_return(vcpu_, memory_, operand_bytes(), release));
}

Outcome Executor::interrupt(std::uint8_t number, EventSource source) {
    const Event event{number, source, false, 0, 0, insn_.length()};
    return {deliver(vcpu_, memory_, hooks_, event) == Delivery::delivered ? Kind::jumped : Kind::shutdown, {}};
}

Outcome Executor::halt() {
    vcpu_.eip = insn_.next_eip();
    vcpu_.halted = true;
    return {Kind::halt, {}};
}

MaybeFault Executor::move() {
    const ZydisDecodedOperand& to = insn_.operands[0];
    const ZydisDecodedOperand& from = insn_.operands[1];
    const ZydisRegister to_reg = to.type == ZYDIS_OPERAND_TYPE_REGISTER ? to.reg.value : ZYDIS_REGISTER_NONE;
    const ZydisRegister from_reg = from.type == ZYDIS_OPERAND_TYPE_REGISTER ? from.reg.value : ZYDIS_REGISTER_NONE;
    const bool writes = is_control(to_reg) || is_debug(to_reg);
    if (!writes && !is_control(from_reg) && !is_debug(from_reg)) {
        return move_segment(vcpu_, memory_, insn_);
    }
    if (vcpu_.cpl != 0) {
        return general_protection();
    }
    const ZydisRegister special = writes ? to_reg : from_reg;
    const auto index = static_cast<unsigned>(special - (is_control(special) ? ZYDIS_REGISTER_CR0 : ZYDIS_REGISTER_DR0));
    if (writes) {
        const std::uint32_t value = read_gpr(vcpu_, from_reg);
        return is_control(special) ? write_control_register(vcpu_, hooks_, index, value)
                                   : write_debug_register(vcpu_, index, value);
    }
    std::uint32_t value = 0;
    const MaybeFault fault = is_control(special) ? read_control_register(vcpu_, index, value)
                                                 : read_debug_register(vcpu_, index, value);
    if (!fault) {
        write_gpr(vcpu_, to_reg, value);
    }
    return fault;
}

MaybeFault Executor::load_system_register(bool task) {
    std::uint32_t value = 0;
    if (auto fault = read_operand(vcpu_, memory_, insn_, insn_.operands[0], value)) {
        return fault;
    }
    const auto selector = static_cast<std::uint16_t>(value);
    return task ? load_task_register(vcpu_, memory_, selector) : load_ldtr(vcpu_, memory_, selector);
}

MaybeFault Executor::load_status_word() {
    std::uint32_t value = 0;
    if (auto fault = read_operand(vcpu_, memory_, insn_, insn_.operands[0], value)) {
        return fault;
    }
    return load_machine_status(vcpu_, hooks_, static_cast<std::uint16_t>(value));
}

MaybeFault Executor::invalidate_page() {
    const ZydisDecodedOperand& operand = insn_.operands[0];
    const SegmentCache& segment = vcpu_.segment(to_segment(operand.mem.segment));
    hooks_.on_invlpg(segment.base + effective_offset(vcpu_, insn_, operand));
    return {};
}

MaybeFault Executor::time_stamp() {
    if ((vcpu_.cr4 & cr4::kTsd) != 0 && vcpu_.cpl != 0) {
        return general_protection();
    }
    const std::uint64_t tsc = guest_tsc(vcpu_, hooks_);
    vcpu_.gpr[kEax] = static_cast<std::uint32_t>(tsc);
    vcpu_.gpr[kEdx] = static_cast<std::uint32_t>(tsc >> 32U);
    return {};
}

MaybeFault Executor::model_specific(bool write) {
    const std::uint32_t index = vcpu_.gpr[kEcx];
    if (write) {
        return write_msr(vcpu_, hooks_, index, vcpu_.gpr[kEax] | (static_cast<std::uint64_t>(vcpu_.gpr[kEdx]) << 32U));
    }
    std::uint64_t value = 0;
    if (auto fault = read_msr(vcpu_, hooks_, index, value)) {
        return fault;
    }
    vcpu_.gpr[kEax] = static_cast<std::uint32_t>(value);
    vcpu_.gpr[kEdx] = static_cast<std::uint32_t>(value >> 32U);
    return {};
}

void Executor::identify() {
    const CpuidLeaf leaf = hooks_.cpuid().query(vcpu_.gpr[kEax], vcpu_.gpr[kEcx]);
    vcpu_.gpr[kEax] = leaf.eax;
    vcpu_.gpr[kEbx] = leaf.ebx;
    vcpu_.gpr[kEcx] = leaf.ecx;
    vcpu_.gpr[kEdx] = leaf.edx;
}

} // namespace

Outcome execute_system(VCpu& vcpu, LinearMemory& memory, IoBus& bus, SystemHooks& hooks, const Instruction& insn) {
    return Executor(vcpu, memory, bus, hooks, insn).run();
}

} // namespace ringone::vmm
