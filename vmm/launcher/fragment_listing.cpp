// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "vmm/launcher/fragment_listing.hpp"

#include "vmm/launcher/code_names.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

namespace ringone::launcher {
namespace {

using namespace translator;

constexpr std::uint32_t kWholeOffset = 0xFFFFFFFF;

/// One guest instruction: its bytes are those that the fragment depends on, decodable or not.
struct GuestLine {
    std::uint32_t eip;
    std::uint32_t length;
    std::string bytes;
    std::string text;
    Treatment treatment;
};

std::string hex(std::span<const std::uint8_t> bytes) {
    std::string text;
    for (const std::uint8_t b : bytes) text += fmt::format("{}{:02x}", text.empty() ? "" : " ", b);
    return text;
}

Treatment step_treatment(StepKind kind) {
    switch (kind) {
    case StepKind::copy:
    case StepKind::copy_via_fs: return Treatment::identical; // if its bytes are the guest's
    case StepKind::swap_other:
    case StepKind::swap_wrap:
    case StepKind::swap_code: return Treatment::adjusted;
    case StepKind::cli:
    case StepKind::sti:
    case StepKind::pushf:
    case StepKind::popf:
    case StepKind::read_selector:
    case StepKind::load_selector:
    case StepKind::pop_selector: return Treatment::inlined;
    }
    return Treatment::trap;
}

Treatment terminal_treatment(TerminalKind kind) {
    switch (kind) {
    case TerminalKind::callout: return Treatment::callout;
    case TerminalKind::fault: return Treatment::trap;
    case TerminalKind::enter_kernel:
    case TerminalKind::exit_kernel:
    case TerminalKind::return_to_user: return Treatment::inlined;
    default: return Treatment::adjusted;
    }
}

std::vector<GuestLine> guest_lines(const Plan& plan) {
    std::vector<GuestLine> out;
    const auto add = [&](std::uint32_t index, Treatment treatment) {
        const Instruction& i = plan.instructions[index];
        out.push_back({i.eip, i.length(), hex({i.bytes, i.length()}), disassemble(i), treatment});
    };
    for (const Step& step : plan.steps) add(step.instruction, step_treatment(step.kind));
    const Terminal& t = plan.terminal;
    if (t.kind == TerminalKind::fall_through || t.kind == TerminalKind::step) return out;
    if (t.kind == TerminalKind::fault && t.next == t.eip) { // not decodable
        const Instruction& i = plan.instructions[t.instruction];
        out.push_back({t.eip, plan.length, hex({i.bytes, plan.length}), "(invalid)", Treatment::trap});
        return out;
    }
    add(t.instruction, terminal_treatment(t.kind));
    return out;
}

/// Where in the body the code of each guest instruction begins: the side table's boundaries.
std::uint32_t code_begin(std::span<const SideEntry> sides, std::uint32_t guest_offset, std::uint32_t body) {
    for (const SideEntry& s : sides)
        if ((s.flags & SideEntry::boundary) != 0 && s.guest_offset >= guest_offset) return s.ccf_offset;
    return body;
}

std::string side_table(const TranslationCache& cache, const Fragment& f) {
    constexpr std::pair<SideEntry::Flags, const char*> kNames[] = {{SideEntry::boundary, " boundary"},
                                                                   {SideEntry::undoable, " undoable"},
                                                                   {SideEntry::uninterruptible, " uninterruptible"},
                                                                   {SideEntry::restore_eax, " restore-eax"},
                                                                   {SideEntry::restore_ecx, " restore-ecx"}};
    std::string text = "side table\n";
    for (const SideEntry& s : cache.side_entries(f)) {
        text += fmt::format("  +{:03x} -> {:08x}", s.ccf_offset, f.eip + s.guest_offset);
        for (const auto& [flag, name] : kNames)
            if ((s.flags & flag) != 0) text += name;
        text += '\n';
    }
    return text;
}

std::string code_column(const CodeLine& line, std::uint32_t begin) {
    return fmt::format("+{:03x}  {:<33} {}", line.run - begin, line.bytes, line.text);
}

} // namespace

const char* treatment_name(Treatment treatment) {
    switch (treatment) {
    case Treatment::identical: return "identical";
    case Treatment::adjusted: return "adjusted";
    case Treatment::inlined: return "inlined";
    case Treatment::callout: return "callout";
    case Treatment::trap: return "trap";
    }
    return "?";
}

std::string list_fragment(Translator& translator, CodeSource& source, FragmentId id, const ListingOptions& options,
                          ListingTotals& totals) {
    TranslationCache& cache = translator.cache();
    const Fragment& f = cache.fragment(id);
    const bool one_instruction = (f.context & kOneInstruction) != 0;
    const auto plan = std::make_unique<Plan>();
    if (translator.planner().plan(source, cache.context(f.context), f.eip, one_instruction, *plan).status !=
        PlanStatus::ok)
        return fmt::format("block {:08x}: its code is gone\n", f.eip);

    const CodeNames names(cache, id);
    const auto sides = cache.side_entries(f);
    std::string text = fmt::format("block {:08x}: {} bytes to {}\n", f.eip, f.guest_length, f.ccf_length);
    const std::vector<GuestLine> guest = guest_lines(*plan);
    auto code = names.body().begin();
    const auto print = [&](const std::string& left, std::uint32_t until) {
        bool first = true;
        for (; code != names.body().end() && code->run - f.ccf < until; ++code, first = false)
            text += fmt::format("  {:<76}| {}\n", first ? left : "", code_column(*code, f.ccf));
        if (first && !left.empty()) text += fmt::format("  {}\n", left);
    };
    for (const GuestLine& g : guest) {
        const std::uint32_t offset = g.eip - f.eip;
        const std::uint32_t end = code_begin(sides, offset + 1, f.ccf_length);
        const bool same = code != names.body().end() && code->bytes == g.bytes;
        const Treatment treatment =
            g.treatment == Treatment::identical && !same ? Treatment::adjusted : g.treatment;
        print(fmt::format("{:08x}  {:<23} {:<30} {:<9}", g.eip, g.bytes, g.text, treatment_name(treatment)), end);
        ++totals.by_treatment[static_cast<std::size_t>(treatment)];
    }
    print("", kWholeOffset);
    ++totals.blocks;
    totals.instructions += static_cast<std::uint32_t>(guest.size());
    totals.guest_bytes += f.guest_length;
    totals.body_bytes += f.ccf_length;
    for (const Stub& stub : names.stubs()) {
        totals.stub_bytes += stub.length;
        if (!options.stubs) continue;
        text += fmt::format("stub: {}\n", stub.name);
        for (const CodeLine& line : stub.lines) text += fmt::format("  {}\n", code_column(line, stub.run));
    }
    if (options.side_table) text += side_table(cache, f);
    return text;
}

} // namespace ringone::launcher
