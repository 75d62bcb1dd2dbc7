// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "translator/ia32_backend.hpp"

#include "translator/reencode.hpp"

namespace ringone::translator {
namespace {

constexpr std::uint32_t kMinimumBody = 5; ///< a dead fragment's head becomes a JMP rel32
constexpr std::uint32_t kIf = 0x200;
constexpr std::uint32_t kDf = 0x400;
constexpr std::uint32_t kOf = 0x800;
/// TF, IOPL, NT, AC, ID: a POPF that changes one of these is the monitor's.
constexpr std::uint32_t kRareFlags = 0x100 | 0x3000 | 0x4000 | 0x40000 | 0x200000;
constexpr std::uint32_t kConditionZero = 4;
constexpr std::uint32_t kConditionNotZero = 5;
constexpr std::uint32_t kAnd = 4;
constexpr std::uint32_t kAdd = 0;
constexpr std::uint32_t kXorLoad = 0x33;

/// Does the code of a terminal begin with instructions that change nothing the guest can see?
constexpr bool starts_undoable(TerminalKind kind) {
    switch (kind) {
    case TerminalKind::callout:
    case TerminalKind::fault:
    case TerminalKind::step:
    case TerminalKind::ret:
    case TerminalKind::indirect_jump:
    case TerminalKind::indirect_call: return true;
    default: return false;
    }
}

constexpr std::uint32_t spill(Reg32 reg) {
    return reg == Reg32::eax ? offsetof(GsArea, spill_eax) : offsetof(GsArea, spill_ecx);
}

/// A 16-bit or 32-bit general register.
Reg32 general_register(ZydisRegister reg) {
    return static_cast<Reg32>(ZydisRegisterGetId(reg) & 7);
}

} // namespace

/// The emission of one block.
struct Emission {
    TranslationCache& cache;
    const Options& options;
    const Plan& plan;
    bool one_instruction; ///< leave for the monitor after the block, whatever ends it
    CodeWriter w;
    std::uint32_t begin;
    std::uint16_t sides = 0;
    std::uint32_t landing = 0; ///< run address, 0: the block ends with no call

    using Flags = SideEntry::Flags;

    [[nodiscard]] bool caches_returns() const { return options.return_cache && !one_instruction; }
    [[nodiscard]] std::uint32_t dispatch_class() const { return plan.context.dispatch_class(); }
    [[nodiscard]] std::uint32_t table(std::size_t base) const {
        return static_cast<std::uint32_t>(base) + dispatch_class() * kDispatchEntries * 4;
    }

    void mark(std::uint32_t eip, unsigned flags) {
        cache.add_side_entry({static_cast<std::uint16_t>(w.address() - begin),
                              static_cast<std::uint8_t>(eip - plan.eip), static_cast<std::uint8_t>(flags)});
        ++sides;
    }
    void mark_boundary(std::uint32_t eip, bool interruptible, unsigned more = 0) {
        mark(eip, Flags::boundary | (interruptible ? 0U : unsigned{Flags::uninterruptible}) | more);
    }

    void copy(const Instruction& instruction, SegmentPrefix segment) {
        std::uint8_t code[kMaxReencodedLength];
        if (segment == SegmentPrefix::keep && plan.context.code_size == CodeSize::bits32) {
            w.bytes({instruction.bytes, instruction.length()});
            return;
        }
        w.bytes({code, reencode(instruction, plan.context.code_size, segment, code)});
    }

    void swapped(const Instruction& instruction, std::uint32_t selector) {
        w.load_segment_gs(SegmentRegister::fs, selector);
        copy(instruction, SegmentPrefix::fs);
        mark(instruction.next_eip(), Flags::undoable);
        w.load_segment_gs(SegmentRegister::fs, offsetof(GsArea, swap_fs));
    }

    void to_callout(std::uint32_t eip) {
        w.store_gs_immediate(offsetof(GsArea, exit_info), static_cast<std::uint32_t>(ExitKind::callout));
        w.store_gs_immediate(offsetof(GsArea, exit_eip), eip);
        w.jump(cache.exit_gate());
    }

    void sti(std::uint32_t eip) {
        w.store_gs(spill(Reg32::ecx), Reg32::ecx);
        mark(eip, Flags::undoable | Flags::restore_ecx);
        w.load_gs(Reg32::ecx, offsetof(GsArea, interrupt_waits));
        std::uint8_t* none_waits = w.jecxz_forward();
        w.load_gs(Reg32::ecx, spill(Reg32::ecx));
        to_callout(eip);
        w.resolve(none_waits);
        w.load_gs(Reg32::ecx, spill(Reg32::ecx));
        w.store_gs_immediate(offsetof(GsArea, virtual_if), kIf);
    }

    void pushf(std::uint32_t eip) {
        w.byte(0x9C);
        mark(eip, 0); // the image on the stack is not the guest's yet: only forward from here
        w.store_gs(spill(Reg32::eax), Reg32::eax);
        w.store_gs(spill(Reg32::ecx), Reg32::ecx);
        w.load_stack(Reg32::eax);
        w.load_gs(Reg32::ecx, offsetof(GsArea, flags_delta));
        w.add_eax_ecx();
        w.load_gs(Reg32::ecx, offsetof(GsArea, virtual_if));
        w.add_eax_ecx();
        w.store_stack(Reg32::eax);
        w.load_gs(Reg32::ecx, spill(Reg32::ecx));
        w.load_gs(Reg32::eax, spill(Reg32::eax));
    }

    void popf(std::uint32_t eip) {
        w.pop_gs(offsetof(GsArea, temporary));
        mark(eip, 0);
        w.store_gs(spill(Reg32::eax), Reg32::eax);
        w.store_gs(spill(Reg32::ecx), Reg32::ecx);
        w.load_gs(Reg32::eax, offsetof(GsArea, temporary));
        w.move(Reg32::ecx, Reg32::eax);
        w.alu_gs(kXorLoad, Reg32::ecx, offsetof(GsArea, virtual_flags));
        w.test_immediate(Reg32::ecx, kRareFlags);
        std::uint8_t* rare = w.branch_forward(kConditionNotZero);
        w.test_immediate(Reg32::eax, kIf);
        std::uint8_t* no_if = w.branch_forward(kConditionZero);
        w.compare_gs(offsetof(GsArea, interrupt_waits), 0);
        std::uint8_t* none_waits = w.branch_forward(kConditionZero);
        w.resolve(rare);
        w.load_gs(Reg32::ecx, spill(Reg32::ecx));
        w.load_gs(Reg32::eax, spill(Reg32::eax));
        w.add_esp(0U - 4U);
        to_callout(eip);
        w.resolve(no_if);
        w.resolve(none_waits);
        w.move(Reg32::ecx, Reg32::eax);
        w.alu_immediate(kAnd, Reg32::ecx, kIf);
        w.store_gs(offsetof(GsArea, virtual_if), Reg32::ecx);
        w.test_immediate(Reg32::eax, kDf);
        std::uint8_t* up = w.branch_forward(kConditionZero);
        w.byte(0xFD); // STD
        std::uint8_t* down = w.short_forward(0xEB);
        w.resolve(up);
        w.byte(0xFC); // CLD
        w.resolve(down);
        // OF := image.OF by an addition that overflows exactly then; SAHF sets the rest.
        w.move(Reg32::ecx, Reg32::eax);
        w.alu_immediate(kAnd, Reg32::ecx, kOf);
        w.alu_immediate(kAdd, Reg32::ecx, 0x80000000U - kOf);
        w.byte(0x88); // MOV ah, al
        w.byte(0xC4);
        w.byte(0x9E); // SAHF
        w.load_gs(Reg32::ecx, spill(Reg32::ecx));
        w.load_gs(Reg32::eax, spill(Reg32::eax));
    }

    void read_selector(const Instruction& instruction) {
        const bool push = instruction.mnemonic() == ZYDIS_MNEMONIC_PUSH;
        const ZydisDecodedOperand& source = instruction.operands[push ? 0 : 1];
        const auto segment = static_cast<std::uint32_t>(source.reg.value - ZYDIS_REGISTER_ES);
        const auto slot = static_cast<std::uint32_t>(offsetof(GsArea, guest_selectors) + segment * 4);
        if (push) w.push_gs(slot);
        else w.load_gs(static_cast<Reg32>(instruction.operands[0].reg.value - ZYDIS_REGISTER_EAX), slot);
    }

    /// One of the ways of a segment register: found. What the monitor reads is written first, the register last.
    void take_way(std::uint32_t segment, std::uint32_t way) {
        const auto slot = static_cast<std::uint32_t>(offsetof(GsArea, ways) +
                                                     (way * kSegmentRegisters + segment) * sizeof(SelectorWay));
        const auto shadow = slot + static_cast<std::uint32_t>(offsetof(SelectorWay, shadow));
        const auto copy_slot = [&](std::uint32_t from, std::size_t to) {
            w.load_gs(Reg32::eax, from);
            w.store_gs(static_cast<std::uint32_t>(to), Reg32::eax);
        };
        w.store_gs_immediate(static_cast<std::uint32_t>(offsetof(GsArea, loaded_way) + segment * 4), way + 1);
        copy_slot(slot, offsetof(GsArea, guest_selectors) + segment * 4);
        const auto held = plan.context.fs_holds_gs ? SegmentRegister::gs : SegmentRegister::fs;
        const auto reg = static_cast<SegmentRegister>(segment);
        if (reg == held) {
            copy_slot(shadow, offsetof(GsArea, swap_fs));
            copy_slot(slot + static_cast<std::uint32_t>(offsetof(SelectorWay, wrap)), offsetof(GsArea, swap_wrap));
            w.load_segment_gs(SegmentRegister::fs, shadow);
        } else if (reg == SegmentRegister::fs || reg == SegmentRegister::gs) {
            copy_slot(shadow, offsetof(GsArea, swap_other));
        } else {
            w.load_segment_gs(reg, shadow);
        }
    }

    void load_selector(const Instruction& instruction, bool pop) {
        const std::uint32_t eip = instruction.eip;
        const auto segment = static_cast<std::uint32_t>(instruction.operands[0].reg.value - ZYDIS_REGISTER_ES);
        w.store_gs(spill(Reg32::ecx), Reg32::ecx);
        w.store_gs(spill(Reg32::eax), Reg32::eax);
        mark(eip, Flags::undoable | Flags::restore_eax | Flags::restore_ecx);
        if (pop) {
            w.load_stack(Reg32::eax);
            w.zero_extend_eax(Reg32::eax);
        } else {
            w.zero_extend_eax(general_register(instruction.operands[1].reg.value));
        }
        w.complement_eax();
        std::uint8_t* found[kSelectorWays];
        for (std::uint32_t way = 0; way < kSelectorWays; ++way) {
            w.load_gs(Reg32::ecx, static_cast<std::uint32_t>(offsetof(GsArea, ways) +
                                                             (way * kSegmentRegisters + segment) * sizeof(SelectorWay)));
            w.sum_and_one(); // zero where they are alike
            found[way] = w.jecxz_forward();
        }
        w.load_gs(Reg32::ecx, spill(Reg32::ecx));
        w.load_gs(Reg32::eax, spill(Reg32::eax));
        to_callout(eip);
        std::uint8_t* done = nullptr;
        for (std::uint32_t way = 0; way < kSelectorWays; ++way) {
            w.resolve(found[way]);
            mark(eip, 0);
            take_way(segment, way);
            if (way == 0) done = w.short_forward(0xEB);
        }
        w.resolve(done);
        if (pop) w.add_esp(4);
        w.load_gs(Reg32::ecx, spill(Reg32::ecx));
        w.load_gs(Reg32::eax, spill(Reg32::eax));
    }

    void step(const Step& s) {
        const Instruction& instruction = plan.instructions[s.instruction];
        const bool undoable =
            s.kind == StepKind::swap_other || s.kind == StepKind::swap_wrap || s.kind == StepKind::swap_code || s.kind == StepKind::sti ||
            s.kind == StepKind::load_selector || s.kind == StepKind::pop_selector;
        mark_boundary(instruction.eip, s.interruptible, undoable ? unsigned{Flags::undoable} : 0U);
        switch (s.kind) {
        case StepKind::copy: copy(instruction, SegmentPrefix::keep); break;
        case StepKind::copy_via_fs:
            copy(instruction, instruction.segment_override() == ZYDIS_REGISTER_FS ? SegmentPrefix::keep
                                                                                  : SegmentPrefix::fs);
            break;
        case StepKind::swap_other: swapped(instruction, offsetof(GsArea, swap_other)); break;
        case StepKind::swap_wrap: swapped(instruction, offsetof(GsArea, swap_wrap)); break;
        case StepKind::swap_code: swapped(instruction, offsetof(GsArea, swap_cs)); break;
        case StepKind::cli: w.store_gs_immediate(offsetof(GsArea, virtual_if), 0); break;
        case StepKind::sti: sti(instruction.eip); break;
        case StepKind::pushf: pushf(instruction.eip); break;
        case StepKind::popf: popf(instruction.eip); break;
        case StepKind::read_selector: read_selector(instruction); break;
        case StepKind::load_selector: load_selector(instruction, false); break;
        case StepKind::pop_selector: load_selector(instruction, true); break;
        }
    }

    LinkId link_jump(std::uint32_t target, std::uint32_t branch_eip) {
        const LinkId id = cache.add_link(target, branch_eip);
        w.jump(cache.link(id).stub);
        cache.set_link_field(id, w.address() - 4);
        return id;
    }

    /// Spills ECX and loads the branch target into it.
    void load_target(const Instruction& branch) {
        std::uint8_t code[kMaxReencodedLength];
        const bool via_fs = branch.segment_override() == ZYDIS_REGISTER_GS;
        w.store_gs(spill(Reg32::ecx), Reg32::ecx);
        w.bytes({code, reencode_target_load(branch, via_fs ? SegmentPrefix::fs : SegmentPrefix::keep, code)});
        mark(branch.eip, Flags::undoable | Flags::restore_ecx);
    }
    /// Goes to the target in ECX, which no instruction may fault on any more.
    void leave_indirect() {
        w.store_gs(offsetof(GsArea, target), Reg32::ecx);
        if (!options.indirect_lookup || one_instruction) return w.jump(cache.indirect_miss());
        w.dispatch_index();
        w.jump_table_gs(table(offsetof(GsArea, indirect_table)));
    }

    /// The same, with the site's first target compared in place.
    void leave_through_site(const Terminal& t) {
        if (!options.site_cache || !options.indirect_lookup || one_instruction) return leave_indirect();
        constexpr std::uint32_t kUnknownBytes = 7 + 7 + 11 + 5;
        const LinkId id = cache.add_link(kNone, t.eip);
        const TranslationCache::Block unknown = cache.take_stub(kUnknownBytes);
        CodeWriter s(unknown.write, unknown.run);
        s.store_gs(offsetof(GsArea, target), Reg32::ecx);
        s.load_gs(Reg32::ecx, spill(Reg32::ecx));
        s.store_gs_immediate(offsetof(GsArea, exit_info),
                             static_cast<std::uint32_t>(ExitKind::indirect) | (id + 1) << kExitKindBits);
        s.jump(cache.exit_gate());
        const std::uint32_t match = w.address() + TranslationCache::kSiteBytes;
        w.jump(unknown.run);
        w.nops_to(match);
        w.load_gs(Reg32::ecx, spill(Reg32::ecx));
        w.jump(cache.link(id).stub);
        cache.set_link_field(id, w.address() - 4);
    }

    void push_return(const Terminal& t) {
        w.push_immediate(t.next);
        mark(t.eip, 0);
    }

    /// Where the return cache leads a return to `next`: its address lies below ESP, and must be this one.
    void land(const Terminal& t) {
        landing = w.address();
        cache.enter_landing(dispatch_class(), t.next, landing);
        w.check_return(t.next, cache.return_miss(dispatch_class()));
    }

    void ret(const Terminal& t) {
        w.store_gs(spill(Reg32::ecx), Reg32::ecx);
        if (caches_returns() && t.immediate == 0) {
            w.pop(Reg32::ecx);
            mark(t.eip, 0);
            w.dispatch_index();
            w.jump_table_gs(table(offsetof(GsArea, return_cache)));
            return;
        }
        w.load_stack(Reg32::ecx);
        mark(t.eip, 0);
        w.add_esp(4U + t.immediate);
        leave_indirect();
    }

    void counter_branch(const Terminal& t) {
        const Instruction& branch = plan.instructions[t.instruction];
        const std::uint32_t opcode = branch.info.opcode;
        if (branch.info.address_width == 16) w.byte(0x67);
        std::uint8_t* taken = w.short_forward(opcode);
        std::uint8_t* not_taken = w.short_forward(0xEB);
        w.resolve(taken);
        link_jump(t.target, t.eip);
        w.resolve(not_taken);
    }

    /// Returns whether control may fall off the block's end to `next`, an exit yet to be written.
    bool terminal() {
        const Terminal& t = plan.terminal;
        if (t.kind == TerminalKind::fall_through) return true;
        mark_boundary(t.eip, t.interruptible, starts_undoable(t.kind) ? unsigned{Flags::undoable} : 0U);
        switch (t.kind) {
        case TerminalKind::jump: link_jump(t.target, t.eip); return false;
        case TerminalKind::branch: {
            const LinkId id = cache.add_link(t.target, t.eip);
            w.branch(plan.instructions[t.instruction].info.opcode & 0xFU, cache.link(id).stub);
            cache.set_link_field(id, w.address() - 4);
            return true;
        }
        case TerminalKind::counter_branch: counter_branch(t); return true;
        case TerminalKind::call:
            push_return(t);
            link_jump(t.target, t.eip);
            if (caches_returns()) land(t);
            return caches_returns();
        case TerminalKind::indirect_jump:
            load_target(plan.instructions[t.instruction]);
            leave_through_site(t);
            return false;
        case TerminalKind::indirect_call:
            load_target(plan.instructions[t.instruction]);
            push_return(t);
            leave_through_site(t);
            if (caches_returns()) land(t);
            return caches_returns();
        case TerminalKind::ret: ret(t); return false;
        case TerminalKind::callout: to_callout(t.eip); return false;
        case TerminalKind::fault:
            w.store_gs_immediate(offsetof(GsArea, exit_info),
                                 static_cast<std::uint32_t>(ExitKind::fault) | std::uint32_t{t.vector} << kExitKindBits);
            w.store_gs_immediate(offsetof(GsArea, exit_eip), t.eip);
            w.jump(cache.exit_gate());
            return false;
        case TerminalKind::fall_through: break; // nothing to emit
        case TerminalKind::step:
            w.store_gs_immediate(offsetof(GsArea, exit_info), static_cast<std::uint32_t>(ExitKind::step));
            w.store_gs_immediate(offsetof(GsArea, exit_eip), t.next);
            w.jump(cache.exit_gate());
            return false;
        }
        return false;
    }
};

Ia32Backend::Emitted Ia32Backend::emit(const Plan& plan, std::uint8_t context, const std::uint32_t (&pages)[2],
                                       bool may_fall, std::uint32_t landing) {
    const TranslationCache::Block block = cache_.begin_block(false);
    Emission e{cache_, options_, plan, (context & kOneInstruction) != 0, CodeWriter(block.write, block.run), block.run};
    for (const Step& step : plan.steps) e.step(step);
    bool falls = e.terminal();
    if (falls) {
        e.mark_boundary(plan.terminal.next, true, SideEntry::undoable);
        while (e.w.size() < kMinimumBody && may_fall) e.w.byte(0x90);
        if (!may_fall) {
            e.link_jump(plan.terminal.next, plan.terminal.next);
            falls = false;
        }
    }
    Fragment f{};
    f.eip = plan.eip;
    f.ccf_length = static_cast<std::uint16_t>(e.w.size());
    f.guest_length = static_cast<std::uint16_t>(plan.length);
    f.instruction_count = static_cast<std::uint16_t>(plan.instruction_count());
    f.identical_count = static_cast<std::uint16_t>(plan.identical);
    f.context = context;
    f.side_count = e.sides;
    f.page[0] = pages[0];
    f.page[1] = pages[1];
    f.return_entry = landing;
    return {cache_.end_block(f), falls, e.landing};
}

void Ia32Backend::close_fall_through(FragmentId id, std::uint32_t next_eip) {
    cache_.append_exit(id, next_eip);
}

} // namespace ringone::translator
