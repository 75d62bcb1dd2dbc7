// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "translator/plan.hpp"

#include <algorithm>
#include <optional>

namespace ringone::translator {
namespace {

constexpr std::uint8_t kVectorUndefined = 6;
constexpr std::uint8_t kVectorNoDevice = 7;
constexpr std::uint32_t kPageSize = 4096;

bool uses_class(const Instruction& instruction, ZydisRegisterClass wanted) {
    return std::any_of(instruction.operands, instruction.operands + instruction.info.operand_count,
                       [wanted](const ZydisDecodedOperand& o) {
                           return o.type == ZYDIS_OPERAND_TYPE_REGISTER && ZydisRegisterGetClass(o.reg.value) == wanted;
                       });
}
bool uses_xmm(const Instruction& instruction) { return uses_class(instruction, ZYDIS_REGCLASS_XMM); }
bool uses_mmx(const Instruction& instruction) { return uses_class(instruction, ZYDIS_REGCLASS_MMX); }

/// What keeps an x87/MMX/SSE instruction from running: SDM Vol. 3 table 2-2 and section 13.1. 0: nothing.
std::uint8_t fpu_fault(Action action, const Instruction& instruction, const CodeContext& context) {
    if (action == Action::copy_simd && !uses_xmm(instruction) && uses_mmx(instruction)) action = Action::copy_mmx;
    switch (action) {
    case Action::copy_x87:
    case Action::fpu_image:
        return (context.fpu_emulated || context.task_switched) ? kVectorNoDevice : 0;
    case Action::copy_wait:
        return (context.task_switched && context.monitor_coprocessor) ? kVectorNoDevice : 0;
    case Action::copy_simd:
        if (context.fpu_emulated || !context.osfxsr) return kVectorUndefined;
        return context.task_switched ? kVectorNoDevice : 0;
    case Action::copy_mmx:
        if (context.fpu_emulated) return kVectorUndefined;
        return context.task_switched ? kVectorNoDevice : 0;
    default:
        return 0;
    }
}

/// The segment whose override the hardware cannot execute as it stands, or none.
enum class SegmentUse : std::uint8_t { plain, fs, gs, cs };

SegmentUse segment_use(const Instruction& instruction) {
    for (std::uint32_t i = 0; i < instruction.info.operand_count; ++i) {
        const ZydisDecodedOperand& operand = instruction.operands[i];
        if (operand.type != ZYDIS_OPERAND_TYPE_MEMORY || operand.mem.type == ZYDIS_MEMOP_TYPE_AGEN) continue;
        switch (operand.mem.segment) {
        case ZYDIS_REGISTER_FS: return SegmentUse::fs;
        case ZYDIS_REGISTER_GS: return SegmentUse::gs;
        case ZYDIS_REGISTER_CS: return SegmentUse::cs;
        default: break;
        }
    }
    return SegmentUse::plain;
}

StepKind copy_kind(const Instruction& instruction, const CodeContext& context) {
    switch (segment_use(instruction)) {
    case SegmentUse::plain: return StepKind::copy;
    case SegmentUse::cs: return StepKind::swap_code;
    case SegmentUse::fs: return context.fs_holds_gs ? StepKind::swap_other : StepKind::copy_via_fs;
    case SegmentUse::gs: return context.fs_holds_gs ? StepKind::copy_via_fs : StepKind::swap_other;
    }
    return StepKind::copy;
}

/// MOV or POP to a segment register whose loads can be inlined: not SS, which holds off interrupts.
bool loads_data_segment(const Instruction& instruction, const CodeContext& context) {
    const ZydisDecodedOperand& to = instruction.operands[0];
    if (to.type != ZYDIS_OPERAND_TYPE_REGISTER || context.fs_holds_gs) return false; // no kernel of ours
    const bool data = to.reg.value == ZYDIS_REGISTER_ES || to.reg.value == ZYDIS_REGISTER_DS ||
                      to.reg.value == ZYDIS_REGISTER_FS || to.reg.value == ZYDIS_REGISTER_GS;
    if (!data) return false;
    if (instruction.mnemonic() == ZYDIS_MNEMONIC_POP) return instruction.info.operand_width == 32;
    if (instruction.mnemonic() != ZYDIS_MNEMONIC_MOV || instruction.has(ZYDIS_ATTRIB_HAS_OPERANDSIZE)) return false;
    return copy_kind(instruction, context) == StepKind::copy || copy_kind(instruction, context) == StepKind::copy_via_fs;
}

/// SYSENTER and SYSEXIT between flat segments: a matter of the monitor's preparation, not of operands.
std::optional<TerminalKind> passage(const Instruction& instruction, const CodeContext& context) {
    if (context.code_size != CodeSize::bits32 || !context.protected_mode || context.virtual_8086) return {};
    if (instruction.mnemonic() == ZYDIS_MNEMONIC_SYSENTER && context.cpl == 3) return TerminalKind::enter_kernel;
    if (instruction.mnemonic() == ZYDIS_MNEMONIC_SYSEXIT && context.cpl == 0) return TerminalKind::exit_kernel;
    if (instruction.mnemonic() == ZYDIS_MNEMONIC_IRETD && context.cpl == 0 && context.stack_32)
        return TerminalKind::return_to_user;
    return {};
}

/// May the monitor take this one over? A string instruction traps on few of the pages it goes over; which of several
/// faults an SSE instruction takes only the hardware tells.
bool adaptable(const Instruction& instruction, Action action) {
    return action == Action::copy && instruction.info.meta.category != ZYDIS_CATEGORY_STRINGOP;
}

/// Is it for the emulator to execute where Options::native_memory is off? Not what uses the x87's registers: an exception
/// still pending, a store that one suppresses and the change to MMX come before the memory's faults, and only the
/// hardware knows of them.
bool for_emulator(const Instruction& instruction, Action action) {
    const bool x87 = action != Action::copy && (action != Action::copy_simd || uses_mmx(instruction));
    return !x87 && std::any_of(instruction.operands, instruction.operands + instruction.info.operand_count,
                               [](const ZydisDecodedOperand& o) {
                                   return o.type == ZYDIS_OPERAND_TYPE_MEMORY && o.mem.type != ZYDIS_MEMOP_TYPE_AGEN;
                               });
}

/// Are the bytes in the fragment those of the guest?
bool byte_identical(StepKind kind, const Instruction& instruction, const CodeContext& context) {
    if (context.code_size != CodeSize::bits32) return false;
    return kind == StepKind::copy ||
           (kind == StepKind::copy_via_fs && instruction.segment_override() == ZYDIS_REGISTER_FS);
}

bool whole_32(const Instruction& instruction, const CodeContext& context) {
    return context.code_size == CodeSize::bits32 && context.stack_32 && context.cs_limit == 0xFFFFFFFF &&
           instruction.info.operand_width == 32;
}

Terminal make_terminal(TerminalKind kind, const Plan& plan, const Instruction& instruction, bool interruptible) {
    Terminal t;
    t.kind = kind;
    t.interruptible = interruptible;
    t.instruction = static_cast<std::uint8_t>(plan.instructions.size() - 1);
    t.eip = instruction.eip;
    t.next = instruction.next_eip();
    return t;
}

/// Target of a direct near branch, cut to the operand size.
std::uint32_t direct_target(const Instruction& instruction) {
    const std::uint32_t target =
        instruction.next_eip() + static_cast<std::uint32_t>(instruction.operands[0].imm.value.s);
    return instruction.info.operand_width == 16 ? target & 0xFFFFU : target;
}

/// Ends a block that no branch ends. An STI cannot hold off interrupts without its successor: the monitor does it.
void finish(Plan& plan, std::uint32_t at, TerminalKind kind, bool in_shadow) {
    if (!in_shadow) {
        plan.terminal.kind = kind;
        plan.terminal.eip = plan.terminal.next = at;
        return;
    }
    const Step sti = plan.steps.back();
    plan.steps.pop_back();
    plan.terminal = make_terminal(TerminalKind::callout, plan, plan.instructions[sti.instruction], sti.interruptible);
    plan.terminal.instruction = sti.instruction;
}

bool is_direct(const Instruction& instruction) {
    return instruction.operands[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE;
}

/// Can `MOV ecx, operand` fetch the target of this JMP/CALL r/m32 in a fragment?
bool target_loadable(const Instruction& instruction, const CodeContext& context) {
    const SegmentUse use = segment_use(instruction);
    return use == SegmentUse::plain || (use == SegmentUse::gs && context.fs_holds_gs) ||
           (use == SegmentUse::fs && !context.fs_holds_gs);
}

} // namespace

Planner::FetchResult Planner::fetch(CodeSource& source, const CodeContext& context, std::uint32_t eip,
                                    Instruction& out) const {
    std::uint8_t bytes[kMaxInstructionLength + 1];
    std::uint32_t have = 0;
    std::uint32_t fault_linear = 0;
    while (have < sizeof bytes) {
        const std::uint32_t linear = context.cs_base + eip + have;
        const std::uint32_t got = source.fetch(linear, std::span(bytes).subspan(have));
        if (got == 0) {
            fault_linear = linear;
            break;
        }
        have += got;
    }
    const std::uint64_t room = eip > context.cs_limit ? 0 : std::uint64_t{context.cs_limit} - eip + 1;
    const auto inside = static_cast<std::uint32_t>(std::min<std::uint64_t>(have, room));
    out.eip = eip;
    switch (decoder_.decode(context.code_size, std::span(bytes).first(inside), eip, out)) {
    case DecodeStatus::ok: return {Fetched::ok};
    case DecodeStatus::invalid: return {Fetched::invalid, 0, std::min(inside, kMaxInstructionLength)};
    case DecodeStatus::too_long: return {Fetched::too_long, 0, kMaxInstructionLength};
    case DecodeStatus::truncated: break;
    }
    if (inside == room) return {Fetched::outside_segment};
    return {Fetched::not_fetchable, fault_linear};
}

bool Planner::add(Plan& plan, const Instruction& instruction, bool in_shadow) const {
    const CodeContext& context = plan.context;
    const InstructionRow& row = classify(instruction);
    const bool interruptible = !in_shadow;
    const auto index = static_cast<std::uint8_t>(plan.instructions.size() - 1);
    const auto end = [&](TerminalKind kind) {
        plan.terminal = make_terminal(kind, plan, instruction, interruptible);
        return false;
    };
    const auto end_fault = [&](std::uint8_t vector) {
        end(TerminalKind::fault);
        plan.terminal.vector = vector;
        return false;
    };
    const auto step = [&](StepKind kind) {
        plan.steps.push_back({kind, index, interruptible});
        if (byte_identical(kind, instruction, context)) ++plan.identical;
        return true;
    };
    const auto copy = [&] {
        if (!options_.native_memory && for_emulator(instruction, row.action)) return end(TerminalKind::callout);
        const StepKind kind = copy_kind(instruction, context);
        switch (options_.adaptive ? hints_.at(context.cs_base + instruction.eip, instruction) : SiteHint::none) {
        case SiteHint::callout: return adaptable(instruction, row.action) ? end(TerminalKind::callout) : step(kind);
        case SiteHint::wraps: return step(kind == StepKind::copy_via_fs ? StepKind::swap_wrap : kind);
        case SiteHint::none: break;
        }
        return step(kind);
    };
    const bool flat_kernel = whole_32(instruction, context) && context.cpl == 0 && !context.virtual_8086;

    switch (row.action) {
    case Action::copy:
    case Action::copy_x87:
    case Action::copy_wait:
    case Action::copy_simd:
    case Action::copy_mmx:
        if (const std::uint8_t vector = fpu_fault(row.action, instruction, context)) return end_fault(vector);
        return copy();
    case Action::undefined: return end_fault(kVectorUndefined);
    case Action::cli:
        return flat_kernel && options_.inline_cli_sti ? step(StepKind::cli) : end(TerminalKind::callout);
    case Action::sti:
        return flat_kernel && options_.inline_cli_sti ? step(StepKind::sti) : end(TerminalKind::callout);
    case Action::pushf:
        return flat_kernel && options_.inline_pushf_popf ? step(StepKind::pushf) : end(TerminalKind::callout);
    case Action::popf:
        return flat_kernel && options_.inline_pushf_popf ? step(StepKind::popf) : end(TerminalKind::callout);
    case Action::read_selector:
        return whole_32(instruction, context) && options_.inline_selector_reads &&
                       (instruction.mnemonic() == ZYDIS_MNEMONIC_PUSH ||
                        instruction.operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER)
                   ? step(StepKind::read_selector)
                   : end(TerminalKind::callout);
    case Action::read_tsc:
        return context.tsc_restricted ? end(TerminalKind::callout) : step(StepKind::copy);
    case Action::jump:
        if (is_direct(instruction)) {
            end(TerminalKind::jump);
            plan.terminal.target = direct_target(instruction);
            return false;
        }
        return end(whole_32(instruction, context) && target_loadable(instruction, context)
                       ? TerminalKind::indirect_jump
                       : TerminalKind::callout);
    case Action::jump_conditional:
        end(TerminalKind::branch);
        plan.terminal.target = direct_target(instruction);
        return false;
    case Action::jump_counter:
        // LOOP changes its counter before the limit check faults: only a flat segment may inline it.
        if (direct_target(instruction) > context.cs_limit)
            return end(TerminalKind::callout);
        end(TerminalKind::counter_branch);
        plan.terminal.target = direct_target(instruction);
        return false;
    case Action::call:
        if (!whole_32(instruction, context)) return end(TerminalKind::callout);
        if (is_direct(instruction)) {
            end(TerminalKind::call);
            plan.terminal.target = direct_target(instruction);
            return false;
        }
        return end(target_loadable(instruction, context) ? TerminalKind::indirect_call : TerminalKind::callout);
    case Action::ret:
        if (!whole_32(instruction, context)) return end(TerminalKind::callout);
        end(TerminalKind::ret);
        if (instruction.operands[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
            plan.terminal.immediate = static_cast<std::uint16_t>(instruction.operands[0].imm.value.u);
        return false;
    case Action::fpu_image:
        if (const std::uint8_t vector = fpu_fault(row.action, instruction, context)) return end_fault(vector);
        break;
    case Action::system:
        if (options_.inline_selector_loads && loads_data_segment(instruction, context) && context.code_size == CodeSize::bits32 &&
            context.stack_32 && context.protected_mode && context.cpl == 0 && !context.virtual_8086)
            return step(instruction.mnemonic() == ZYDIS_MNEMONIC_POP ? StepKind::pop_selector : StepKind::load_selector);
        break;
    case Action::iret: break;
    }
    if (options_.inline_passages && options_.indirect_lookup)
        if (const std::optional<TerminalKind> kind = passage(instruction, context)) return end(*kind);
    return end(TerminalKind::callout);
}

PlanResult Planner::plan(CodeSource& source, const CodeContext& context, std::uint32_t eip, bool one_instruction,
                         Plan& out) const {
    out.eip = eip;
    out.context = context;
    out.identical = 0;
    out.steps.clear();
    out.instructions.clear();
    out.terminal = {};
    std::uint32_t at = eip;
    const std::uint32_t limit =
        one_instruction ? 1 : std::clamp<std::uint32_t>(options_.block_limit, 1, kMaxBlockInstructions);
    bool in_shadow = false;

    for (;;) {
        // A block does not start a new instruction on another page than the one it began on.
        const bool new_page = ((context.cs_base + at) ^ (context.cs_base + eip)) >= kPageSize;
        const bool full = out.steps.size() >= limit;
        const bool shadow_fits = in_shadow && !new_page && out.steps.size() < kMaxBlockInstructions;
        const bool cut = cuts_.has(context.cs_base + at);
        if (!out.steps.empty() && (cut || ((new_page || full) && !shadow_fits))) {
            finish(out, at, one_instruction ? TerminalKind::step : TerminalKind::fall_through, in_shadow);
            break;
        }
        out.instructions.resize(out.instructions.size() + 1, boost::container::default_init);
        Instruction& instruction = out.instructions.back();
        const FetchResult fetched = fetch(source, context, at, instruction);
        if (fetched.status != Fetched::ok && fetched.status != Fetched::invalid &&
            fetched.status != Fetched::too_long && out.instructions.size() == 1) {
            return {fetched.status == Fetched::outside_segment ? PlanStatus::outside_segment
                                                               : PlanStatus::not_fetchable,
                    fetched.fault_linear};
        }
        if (fetched.status != Fetched::ok) {
            if (out.instructions.size() > 1) {
                // The faulting instruction gets a block of its own, so that this one stays whatever it is later.
                out.instructions.pop_back();
                finish(out, at, TerminalKind::fall_through, in_shadow);
                break;
            }
            out.terminal.kind = TerminalKind::fault;
            out.terminal.vector = fetched.status == Fetched::invalid ? kVectorUndefined : std::uint8_t{13};
            out.terminal.eip = out.terminal.next = at;
            out.length = fetched.bytes;
            return {PlanStatus::ok};
        }
        const bool crosses = ((context.cs_base + at) ^ (context.cs_base + instruction.next_eip() - 1)) >= kPageSize;
        if (crosses && !out.steps.empty() && !in_shadow) {
            // It depends on two pages, this block on one: it gets a block of its own.
            out.instructions.pop_back();
            finish(out, at, TerminalKind::fall_through, in_shadow);
            break;
        }
        const bool is_sti = classify(instruction).action == Action::sti;
        // A repeated string instruction is a sequence of elements to single-stepping.
        const bool repeats = instruction.info.meta.category == ZYDIS_CATEGORY_STRINGOP &&
                             (instruction.has(ZYDIS_ATTRIB_HAS_REP) || instruction.has(ZYDIS_ATTRIB_HAS_REPE) ||
                              instruction.has(ZYDIS_ATTRIB_HAS_REPNE));
        if (one_instruction && (is_sti || repeats)) {
            out.terminal = make_terminal(TerminalKind::callout, out, instruction, true);
            at = instruction.next_eip();
            break;
        }
        const bool goes_on = add(out, instruction, in_shadow);
        at = instruction.next_eip();
        if (!goes_on) break;
        in_shadow = is_sti;
    }
    out.length = at - eip;
    return {PlanStatus::ok};
}

} // namespace ringone::translator
