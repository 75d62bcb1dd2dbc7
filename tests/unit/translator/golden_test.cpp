// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
//
// Golden files of the emitted code: golden/NAME.txt, so that a change of code generation is a diff to review.
// RINGONE_UPDATE_GOLDEN=1 rewrites them.
#include "tests/unit/translator/golden_file.hpp"
#include "tests/unit/translator/translator_machine.hpp"
#include "vmm/launcher/fragment_listing.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <sstream>

namespace ringone::tests {
namespace {

using namespace translator;

constexpr std::uint32_t kEip = 0x1000;

struct Case {
    const char* name;
    const char* what;
    std::vector<std::uint8_t> guest;
    std::function<void(CodeContext&)> context{};
    std::function<void(Options&)> options{};
    bool one_instruction = false;
    /// What happens to the fragment after its translation; its fragments are listed then.
    std::function<void(TranslatorMachine&, FragmentId)> then{};
    /// What its accesses did before.
    SiteHint hint = SiteHint::none;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

void bits16(CodeContext& c) { c.code_size = CodeSize::bits16; }
void user(CodeContext& c) { c.cpl = 3; }
void fs_holds_gs(CodeContext& c) { c.fs_holds_gs = true; }
void plain(Options& o) { o = plain_options(); }
void no_return_cache(Options& o) { o.return_cache = false; }

const Case kCases[] = {
    {"identical", "Ordinary instructions are copied; the run of blocks is closed by an exit.",
     {0x8B, 0x44, 0x24, 0x04, 0x0F, 0xAF, 0xC1, 0xF3, 0xA5, 0xF0, 0x0F, 0xB1, 0x0B, 0xD9, 0xE8, 0x66, 0x0F, 0xFE,
      0xC1, 0xEB, 0xFE}},
    {"adjusted_fs", "FS holds the guest's FS: its override stays, the GS one goes through FS, switched around it.",
     {0x64, 0x8B, 0x03, 0x65, 0x8B, 0x1D, 0x10, 0x00, 0x00, 0x00, 0x65, 0xA4, 0xEB, 0xFE}},
    {"adjusted_gs", "FS holds the guest's GS: the other way round.",
     {0x64, 0x8B, 0x03, 0x65, 0x8B, 0x1D, 0x10, 0x00, 0x00, 0x00, 0x65, 0xA4, 0xEB, 0xFE}, fs_holds_gs},
    {"adjusted_cs", "A CS override reads the code segment through FS.", {0x2E, 0x8B, 0x03, 0x2E, 0xD7, 0xEB, 0xFE}},
    {"adjusted_16bit", "A 16-bit code segment: the size prefixes are toggled.",
     {0x89, 0xD8, 0x66, 0x89, 0xD8, 0x8B, 0x07, 0x67, 0x8B, 0x03, 0xB8, 0x34, 0x12, 0x0F, 0x58, 0xC1, 0x26, 0xAA,
      0x50, 0xEB, 0xFE},
     bits16},
    {"adapted_wrap", "Accesses that wrapped at 4 GiB: FS is switched to that part of its segment.",
     {0x65, 0x8B, 0x1D, 0xF0, 0xFF, 0xFF, 0xFF, 0x43, 0xEB, 0xFE}, fs_holds_gs, {}, false, {}, SiteHint::wraps},
    {"adapted_callout", "Accesses that trapped: the monitor does them at once.",
     {0x8B, 0x03, 0x43, 0xEB, 0xFE}, {}, {}, false, {}, SiteHint::callout},
    {"adapted_off", "The same, not adapted.", {0x8B, 0x03, 0x43, 0xEB, 0xFE}, {},
     [](Options& o) { o.adaptive = false; }, false, {}, SiteHint::callout},
    {"inlined_cli_sti", "CLI; STI calls out when an interrupt waits; its successor is not interruptible.",
     {0xFA, 0xFB, 0x90, 0x90, 0xEB, 0xFE}},
    {"inlined_pushf", "PUSHFD makes the guest's image from the hardware's.", {0x9C, 0xEB, 0xFE}},
    {"inlined_popf", "POPFD inlined: virtual IF, status flags, DF.", {0x9D, 0xEB, 0xFE}},
    {"inlined_selectors", "Selector reads show the guest's selectors.",
     {0x8C, 0xD8, 0x8C, 0xCA, 0x1E, 0x06, 0x0F, 0xA0, 0xEB, 0xFE}},
    {"inlined_loads", "Segment loads by the selectors that were loaded before; others are callouts.",
     {0x8E, 0xD9, 0x8E, 0xC0, 0x0F, 0xA1, 0x0F, 0xA9, 0xEB, 0xFE}},
    {"inlined_loads_memory", "A selector in memory.", {0x8E, 0x64, 0x24, 0x24, 0x64, 0x8E, 0x18, 0xEB, 0xFE}},
    {"inlined_sysenter", "SYSENTER of a user program: to the kernel's fragments where the way is open.", {0x43, 0x0F, 0x34}, user},
    {"inlined_sysexit", "SYSEXIT in an STI's shadow: to user mode's fragments where the way is open.", {0xFB, 0x0F, 0x35}},
    {"inlined_iret", "IRET: the same, for the CS and SS that user mode had before.", {0x43, 0xCF}},
    {"inlined_in_user_mode", "At CPL 3 the flags are IOPL's business: callouts. Selector reads stay inline.",
     {0x8C, 0xD8, 0x9C}, user},
    {"callout", "The monitor executes what it must.", {0x43, 0x0F, 0x22, 0xD8}},
    {"callout_sti_last", "An STI that ends its block cannot hold interrupts off: the monitor does it.",
     {0x43, 0xFB, 0xF4}},
    {"fault_undefined", "UD2: the guest faults.", {0x43, 0x0F, 0x0B}},
    {"fault_invalid", "No such encoding: a block of its own.", {0x43, 0x0F, 0x04, 0x90, 0x90, 0x90}},
    {"fault_no_device", "x87 with CR0.TS.", {0x43, 0xD9, 0xE8}, [](CodeContext& c) { c.task_switched = true; }},
    {"jump", "JMP rel: an exit, not chained yet.", {0x43, 0xE9, 0x00, 0x10, 0x00, 0x00}},
    {"jump_chained", "The same, chained to itself.", {0x43, 0xEB, 0xFD}, {}, {}, false,
     [](TranslatorMachine& m, FragmentId id) { m.cache().chain(m.cache().fragment(id).link_first, id); }},
    {"branch", "Jcc: the next block is placed behind it.", {0x75, 0x01, 0x43, 0xEB, 0xFB}},
    {"branch_alone", "Jcc without fall-through runs: an exit of its own.", {0x0F, 0x8C, 0x00, 0x01, 0x00, 0x00, 0x90},
     {}, [](Options& o) { o.fall_through = false; }},
    {"loop", "LOOP: the counter's branch has only a short form.", {0x49, 0xE2, 0xFD, 0xEB, 0xFE}},
    {"jcxz", "JCXZ keeps its address size.", {0x67, 0xE3, 0x01, 0xF4, 0xEB, 0xFE}},
    {"call", "CALL: a push, an exit, and where the return cache leads its return.",
     {0xE8, 0x00, 0x10, 0x00, 0x00, 0xEB, 0xFE}},
    {"call_unpaired", "CALL without the return cache: a push and an exit.", {0xE8, 0x00, 0x10, 0x00, 0x00, 0xEB, 0xFE},
     {}, no_return_cache},
    {"call_indirect", "CALL r/m32 through the dispatch table.", {0xFF, 0x14, 0x85, 0x00, 0x20, 0x00, 0x00, 0xEB, 0xFE}},
    {"call_indirect_user", "User code has tables of its own.", {0xFF, 0xD0, 0xEB, 0xFE}, user},
    {"call_indirect_unpaired", "CALL r/m32 without the return cache.", {0xFF, 0xD0, 0xEB, 0xFE}, {}, no_return_cache},
    {"jump_indirect", "JMP r/m32 through the dispatch table.", {0xFF, 0x63, 0x08}},
    {"jump_indirect_segment", "The target of a jump can lie behind FS.", {0x64, 0xFF, 0x25, 0x10, 0x00, 0x00, 0x00}},
    {"jump_indirect_slow", "JMP r/m32 without the inline lookup.", {0xFF, 0xE0}, {},
     [](Options& o) { o.indirect_lookup = false; }},
    {"indirect_target", "A fragment that is an indirect target checks the tag first.", {0x43, 0xEB, 0xFD}, {}, {}, false,
     [](TranslatorMachine& m, FragmentId id) { m.cache().make_indirect_target(id); }},
    {"site_learned", "An indirect jump whose site knows one target.", {0xFF, 0xE0}, {}, {}, false,
     [](TranslatorMachine& m, FragmentId id) { (void)m.cache().learn_target(m.cache().fragment(id).link_first, id); }},
    {"site_given_up", "An indirect call whose site has met a second target.", {0xFF, 0xD0, 0xEB, 0xFE}, {}, {}, false,
     [](TranslatorMachine& m, FragmentId id) {
         EXPECT_FALSE(m.cache().learn_target(m.cache().fragment(id).link_first, id));
         EXPECT_TRUE(m.cache().learn_target(m.cache().fragment(id).link_first, id));
     }},
    {"return_target", "A fragment that returns go to, without a call before it; other branches go there as well.",
     {0x43, 0xEB, 0xFD}, {}, {}, false,
     [](TranslatorMachine& m, FragmentId id) {
         m.cache().make_return_target(id);
         m.cache().make_indirect_target(id);
     }},
    {"ret", "RET through the return cache.", {0x58, 0xC3}},
    {"ret_imm", "RET imm16 through the dispatch table.", {0xC2, 0x08, 0x00}},
    {"ret_16bit", "RET of a 16-bit code segment: a callout.", {0xC3}, bits16},
    {"plain_options", "All optimizations off.", {0xFA, 0x9C, 0xE8, 0x00, 0x10, 0x00, 0x00}, {}, plain},
    {"plain_call", "All optimizations off: a call.", {0x43, 0xE8, 0x00, 0x10, 0x00, 0x00}, {}, plain},
    {"plain_ret", "All optimizations off: a return.", {0xC3}, {}, plain},
    {"one_instruction", "A one-instruction fragment goes back to the monitor.", {0x43, 0x43}, {}, {}, true},
    {"one_instruction_branch", "One instruction, a branch: both exits leave.", {0x75, 0x10}, {}, {}, true},
    {"one_instruction_call", "One instruction, a call: no landing.", {0xFF, 0xD0}, {}, {}, true},
    {"one_instruction_string", "One instruction, a repeated one: an element at a time is the monitor's.", {0xF3, 0xA4}, {},
     {}, true},
};

std::string switched_off(const Options& o) {
    const std::pair<bool, const char*> switches[] = {{o.chain, " chain"},
                                                     {o.fall_through, " fall-through"},
                                                     {o.indirect_lookup, " indirect-lookup"},
                                                     {o.site_cache, " site-cache"},
                                                     {o.place_entries, " place-entries"},
                                                     {o.return_cache, " return-cache"},
                                                     {o.inline_cli_sti, " inline-cli-sti"},
                                                     {o.inline_pushf_popf, " inline-pushf-popf"},
                                                     {o.inline_selector_reads, " inline-selector-reads"},
                                                     {o.inline_selector_loads, " inline-selector-loads"},
                                                     {o.inline_passages, " inline-passages"},
                                                     {o.adaptive, " adaptive"}};
    std::string text;
    for (const auto& [on, name] : switches)
        if (!on) text += name;
    return text.empty() ? " nothing" : text;
}

std::string render(const Case& c) {
    Options options;
    if (c.options) c.options(options);
    TranslatorMachine machine(options);
    if (c.context) c.context(machine.context);
    machine.guest.put(kEip, c.guest);
    if (c.hint != SiteHint::none) {
        Instruction hinted;
        EXPECT_EQ(machine.translator.planner().fetch(machine.guest, machine.context, kEip, hinted).status,
                  Planner::Fetched::ok);
        while (machine.translator.site_hints().at(kEip, hinted) != c.hint)
            (void)machine.translator.site_hints().trapped(kEip, hinted, c.hint == SiteHint::wraps);
    }
    const FragmentId first = machine.translate(kEip, c.one_instruction);
    const auto count = static_cast<std::uint32_t>(machine.cache().counters().fragments);
    if (c.then) c.then(machine, first);
    std::ostringstream text;
    text << c.what << "\noptions without:" << switched_off(options) << "; "
         << (machine.context.code_size == CodeSize::bits32 ? 32 : 16) << "-bit, CPL " << +machine.context.cpl
         << (c.one_instruction ? ", one instruction" : "") << "\n";
    launcher::ListingTotals totals;
    // The blocks of one run were made one after the other; those of the padding behind the case's code are left out.
    for (FragmentId id = first; id < first + count; ++id) {
        if (machine.cache().fragment(id).eip - kEip >= c.guest.size()) continue;
        text << "\n" << launcher::list_fragment(machine.translator, machine.guest, id, {true, true}, totals);
    }
    return text.str();
}

class Golden : public testing::TestWithParam<Case> {};

TEST_P(Golden, matches) {
    expect_golden(GetParam().name, render(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(Translator, Golden, testing::ValuesIn(kCases),
                         [](const auto& one) { return std::string(one.param.name); });

} // namespace
} // namespace ringone::tests
