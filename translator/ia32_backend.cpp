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
/// Those, VM, VIF and VIP, for an IRET.
constexpr std::uint32_t kRareReturnFlags = kRareFlags | 0x20000 | 0x80000 | 0x100000;
constexpr std::uint32_t kKernel = 0, kUser = 1; ///< dispatch classes
constexpr std::uint32_t kConditionZero = 4;
constexpr std::uint32_t kConditionNotZero = 5;
constexpr std::uint32_t kAnd = 4;
constexpr std::uint32_t kAdd = 0;
constexpr std::uint32_t kXorLoad = 0x33;

/// Does the code of a terminal begin with instructions that change nothing the guest can see?
constexpr bool starts_undoable(TerminalKind kind) {
    switch (kind) {
    case TerminalKind::enter_kernel:
    case TerminalKind::exit_kernel:
    case TerminalKind::return_to_user:
    case TerminalKind::callout:
    case TerminalKind::fault:
    case TerminalKind::step:
    case TerminalKind::ret:
    case TerminalKind::indirect_jump:
    case TerminalKind::indirect_call: return true;
    default: return false;
    }
}

/// A slot of ModeSegments, `field` being its offset there.
constexpr std::uint32_t mode_slot(std::uint32_t mode, std::size_t field) {
    return static_cast<std::uint32_t>(offsetof(GsArea, modes) + mode * sizeof(ModeSegments) + field);
}

constexpr std::uint32_t table(std::size_t base, std::uint32_t dispatch_class) {
    return static_cast<std::uint32_t>(base) + dispatch_class * kDispatchEntries * 4;
}

constexpr std::uint32_t spill(Reg32 reg) {
    return reg == Reg32::eax ? offsetof(GsArea, spill_eax) : offsetof(GsArea, spill_ecx);
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
    [[nodiscard]] std::uint32_t own_slot(std::size_t field) const { return mode_slot(dispatch_class(), field); }

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
        w.load_segment_gs(SegmentRegister::fs, own_slot(offsetof(ModeSegments, swap_fs)));
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
        spill_both();
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
        spill_both();
        load_flags_or(kRareFlags, [&] {
            fill_both();
            w.add_esp(0U - 4U);
            to_callout(eip);
        });
        fill_both();
    }

    /// Sets status flags, DF and IF by the image in GsArea::temporary; `refuse` leaves where that changes one of `rare`, or
    /// sets IF while an interrupt waits. Uses EAX, ECX and the flags.
    template <typename Refuse>
    void load_flags_or(std::uint32_t rare_flags, Refuse refuse) {
        w.load_gs(Reg32::eax, offsetof(GsArea, temporary));
        w.move(Reg32::ecx, Reg32::eax);
        w.alu_gs(kXorLoad, Reg32::ecx, offsetof(GsArea, virtual_flags));
        w.test_immediate(Reg32::ecx, rare_flags);
        std::uint8_t* rare = w.branch_forward(kConditionNotZero);
        w.test_immediate(Reg32::eax, kIf);
        std::uint8_t* no_if = w.branch_forward(kConditionZero);
        w.compare_gs(offsetof(GsArea, interrupt_waits), 0);
        std::uint8_t* none_waits = w.branch_forward(kConditionZero);
        w.resolve(rare);
        refuse();
        w.resolve(no_if);
        w.resolve(none_waits);
        load_flags();
    }

    /// Sets status flags, DF and IF by the image in EAX; uses ECX.
    void load_flags() {
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
    }

    [[nodiscard]] std::uint32_t selector_slot(SegmentRegister segment) const {
        if (segment == SegmentRegister::cs) return own_slot(offsetof(ModeSegments, cs_selector));
        if (segment == SegmentRegister::ss) return own_slot(offsetof(ModeSegments, ss_selector));
        return static_cast<std::uint32_t>(offsetof(GsArea, guest_selectors) + static_cast<std::uint32_t>(segment) * 4);
    }

    void read_selector(const Instruction& instruction) {
        const bool push = instruction.mnemonic() == ZYDIS_MNEMONIC_PUSH;
        const ZydisDecodedOperand& source = instruction.operands[push ? 0 : 1];
        const auto segment = static_cast<std::uint32_t>(source.reg.value - ZYDIS_REGISTER_ES);
        const std::uint32_t slot = selector_slot(static_cast<SegmentRegister>(segment));
        if (push) w.push_gs(slot);
        else w.load_gs(static_cast<Reg32>(instruction.operands[0].reg.value - ZYDIS_REGISTER_EAX), slot);
    }

    void copy_slot(std::uint32_t from, std::uint32_t to) {
        w.load_gs(Reg32::eax, from);
        w.store_gs(to, Reg32::eax);
    }

    /// One of the ways of a segment register: found. What the monitor reads is written first, the register last.
    void take_way(SegmentRegister segment, std::uint32_t way) {
        const std::uint32_t slot = way_slot(segment, way);
        const std::uint32_t shadow = slot + offsetof(SelectorWay, shadow);
        const std::uint32_t user_shadow = slot + offsetof(SelectorWay, user_shadow);
        const std::uint32_t wrap = slot + offsetof(SelectorWay, wrap);
        w.store_gs_immediate(static_cast<std::uint32_t>(offsetof(GsArea, loaded_way) + static_cast<std::uint32_t>(segment) * 4),
                             way + 1);
        copy_slot(slot, selector_slot(segment));
        switch (segment) {
        case SegmentRegister::fs: // which FS holds here, and not in user mode
            copy_slot(shadow, mode_slot(kKernel, offsetof(ModeSegments, swap_fs)));
            copy_slot(wrap, mode_slot(kKernel, offsetof(ModeSegments, swap_wrap)));
            copy_slot(user_shadow, mode_slot(kUser, offsetof(ModeSegments, swap_other)));
            w.load_segment_gs(SegmentRegister::fs, shadow);
            return;
        case SegmentRegister::gs:
            copy_slot(shadow, mode_slot(kKernel, offsetof(ModeSegments, swap_other)));
            copy_slot(user_shadow, mode_slot(kUser, offsetof(ModeSegments, swap_fs)));
            copy_slot(wrap, mode_slot(kUser, offsetof(ModeSegments, swap_wrap)));
            return;
        case SegmentRegister::es: copy_slot(user_shadow, mode_slot(kUser, offsetof(ModeSegments, es))); break;
        default: copy_slot(user_shadow, mode_slot(kUser, offsetof(ModeSegments, ds))); break;
        }
        w.load_segment_gs(segment, shadow);
    }

    [[nodiscard]] static std::uint32_t way_slot(SegmentRegister segment, std::uint32_t way) {
        const std::uint32_t number = way * kSegmentRegisters + static_cast<std::uint32_t>(segment);
        return static_cast<std::uint32_t>(offsetof(GsArea, ways) + number * sizeof(SelectorWay));
    }

    void spill_both() {
        w.store_gs(spill(Reg32::ecx), Reg32::ecx);
        w.store_gs(spill(Reg32::eax), Reg32::eax);
    }
    void fill_both() {
        w.load_gs(Reg32::ecx, spill(Reg32::ecx));
        w.load_gs(Reg32::eax, spill(Reg32::eax));
    }

    void load_selector(const Instruction& instruction, bool pop) {
        const std::uint32_t eip = instruction.eip;
        const auto segment = static_cast<SegmentRegister>(instruction.operands[0].reg.value - ZYDIS_REGISTER_ES);
        spill_both();
        mark(eip, Flags::undoable | Flags::restore_eax | Flags::restore_ecx);
        if (pop) {
            w.load_stack(Reg32::eax);
            w.zero_extend_eax(Reg32::eax);
        } else {
            std::uint8_t code[kMaxReencodedLength];
            w.bytes({code, reencode_selector_load(instruction, SegmentPrefix::keep, code)});
        }
        w.complement_eax();
        std::uint8_t* found[kSelectorWays];
        for (std::uint32_t way = 0; way < kSelectorWays; ++way) {
            w.load_gs(Reg32::ecx, way_slot(segment, way));
            w.sum_and_one(); // zero where they are alike
            found[way] = w.jecxz_forward();
        }
        fill_both();
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
        fill_both();
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
        case StepKind::swap_other: swapped(instruction, own_slot(offsetof(ModeSegments, swap_other))); break;
        case StepKind::swap_wrap: swapped(instruction, own_slot(offsetof(ModeSegments, swap_wrap))); break;
        case StepKind::swap_code: swapped(instruction, own_slot(offsetof(ModeSegments, swap_cs))); break;
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
        w.jump_table_gs(table(offsetof(GsArea, indirect_table), dispatch_class()));
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
            w.jump_table_gs(table(offsetof(GsArea, return_cache), dispatch_class()));
            return;
        }
        w.load_stack(Reg32::ecx);
        mark(t.eip, 0);
        w.add_esp(4U + t.immediate);
        leave_indirect();
    }

    /// Goes to the target in ECX at the other privilege, where only what its dispatch table knows runs at once.
    void pass(std::uint32_t mode) {
        w.store_gs(offsetof(GsArea, target), Reg32::ecx);
        w.dispatch_index();
        w.jump_table_gs(table(offsetof(GsArea, indirect_table), mode));
    }

    /// SDM Vol. 2, SYSENTER. What DS and ES hold stays, truncated for user mode: the monitor helps where that is too little.
    void enter_kernel(const Terminal& t) {
        w.store_gs(spill(Reg32::ecx), Reg32::ecx);
        mark(t.eip, Flags::undoable | Flags::restore_ecx);
        w.load_gs(Reg32::ecx, offsetof(GsArea, enter_closed));
        std::uint8_t* open = w.jecxz_forward();
        w.load_gs(Reg32::ecx, spill(Reg32::ecx));
        to_callout(t.eip);
        w.resolve(open);
        mark(t.eip, 0);
        w.store_gs_immediate(offsetof(GsArea, passage), kKernel + 1);
        w.store_gs_immediate(offsetof(GsArea, virtual_if), 0);
        w.load_segment_gs(SegmentRegister::fs, mode_slot(kKernel, offsetof(ModeSegments, swap_fs)));
        w.load_segment_gs(SegmentRegister::ss, mode_slot(kKernel, offsetof(ModeSegments, ss)));
        w.load_gs(Reg32::esp, offsetof(GsArea, enter_esp));
        w.load_gs(Reg32::ecx, offsetof(GsArea, enter_eip));
        pass(kKernel);
    }

    /// Leads on only where the way to user mode is open and all segment registers may keep what they hold.
    std::uint8_t* check_user_way(std::size_t closed) {
        constexpr std::size_t kChecked[] = {offsetof(ModeSegments, es), offsetof(ModeSegments, ds),
                                            offsetof(ModeSegments, swap_fs), offsetof(ModeSegments, swap_other)};
        w.load_gs(Reg32::eax, static_cast<std::uint32_t>(closed));
        for (const std::size_t field : kChecked) {
            w.load_gs(Reg32::ecx, mode_slot(kUser, field));
            w.add_eax_ecx();
        }
        w.zero_extend_ecx_from_ax();
        w.complement_eax();
        w.sum_and_one(); // zero where nothing was kNoPassage
        return w.jecxz_forward();
    }

    void load_user_segments() {
        w.store_gs_immediate(offsetof(GsArea, passage), kUser + 1);
        w.load_segment_gs(SegmentRegister::es, mode_slot(kUser, offsetof(ModeSegments, es)));
        w.load_segment_gs(SegmentRegister::ds, mode_slot(kUser, offsetof(ModeSegments, ds)));
        w.load_segment_gs(SegmentRegister::fs, mode_slot(kUser, offsetof(ModeSegments, swap_fs)));
        w.load_segment_gs(SegmentRegister::ss, mode_slot(kUser, offsetof(ModeSegments, ss)));
    }

    /// SDM Vol. 2, SYSEXIT: to EDX with the stack at ECX.
    void exit_kernel(const Terminal& t) {
        spill_both();
        mark(t.eip, Flags::undoable | Flags::restore_eax | Flags::restore_ecx);
        std::uint8_t* open = check_user_way(offsetof(GsArea, exit_closed));
        fill_both();
        to_callout(t.eip);
        w.resolve(open);
        mark(t.eip, 0);
        load_user_segments();
        w.load_gs(Reg32::esp, spill(Reg32::ecx));
        w.load_gs(Reg32::eax, spill(Reg32::eax));
        w.move(Reg32::ecx, Reg32::edx);
        pass(kUser);
    }

    /// SDM Vol. 2, IRET to an outer privilege level: EIP, CS, EFLAGS, ESP and SS on the stack.
    void return_to_user(const Terminal& t) {
        constexpr std::uint32_t kEip = 0, kCs = 4, kFlags = 8, kEsp = 12, kSs = 16;
        const auto refuse = [&] {
            fill_both();
            to_callout(t.eip);
        };
        const auto check_selector = [&](std::uint32_t on_stack, std::size_t expected) {
            w.load_stack_at(Reg32::eax, on_stack);
            w.complement_eax();
            w.load_gs(Reg32::ecx, mode_slot(kUser, expected));
            w.sum_and_one();
            std::uint8_t* alike = w.jecxz_forward();
            refuse();
            w.resolve(alike);
        };
        spill_both();
        mark(t.eip, Flags::undoable | Flags::restore_eax | Flags::restore_ecx);
        std::uint8_t* open = check_user_way(offsetof(GsArea, return_closed));
        refuse();
        w.resolve(open);
        check_selector(kCs, offsetof(ModeSegments, cs_selector));
        check_selector(kSs, offsetof(ModeSegments, ss_selector));
        w.load_stack_at(Reg32::eax, kEip);
        w.store_gs(offsetof(GsArea, target), Reg32::eax);
        w.load_stack_at(Reg32::eax, kEsp);
        w.store_gs(offsetof(GsArea, return_esp), Reg32::eax);
        w.load_stack_at(Reg32::eax, kFlags);
        w.store_gs(offsetof(GsArea, temporary), Reg32::eax);
        mark(t.eip, 0);
        w.save_status();
        w.store_gs(offsetof(GsArea, flags_spill), Reg32::eax);
        load_flags_or(kRareReturnFlags, [&] {
            w.load_gs(Reg32::eax, offsetof(GsArea, flags_spill));
            w.restore_status();
            refuse();
        });
        load_user_segments();
        w.load_gs(Reg32::esp, offsetof(GsArea, return_esp));
        w.load_gs(Reg32::eax, spill(Reg32::eax));
        w.load_gs(Reg32::ecx, offsetof(GsArea, target));
        pass(kUser);
    }

    void passage(const Terminal& t) {
        if (one_instruction) return to_callout(t.eip);
        switch (t.kind) {
        case TerminalKind::enter_kernel: return enter_kernel(t);
        case TerminalKind::exit_kernel: return exit_kernel(t);
        default: return return_to_user(t);
        }
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
        case TerminalKind::enter_kernel:
        case TerminalKind::exit_kernel:
        case TerminalKind::return_to_user: passage(t); return false;
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
