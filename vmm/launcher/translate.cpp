// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "vmm/launcher/translate.hpp"

#include "translator/translator.hpp"
#include "vmm/launcher/code_names.hpp"
#include "vmm/launcher/exit_status.hpp"
#include "vmm/launcher/file_bytes.hpp"
#include "vmm/launcher/fragment_listing.hpp"
#include "vmm/launcher/multiboot_loader.hpp"
#include "vmm/launcher/translation_switches.hpp"

#include <algorithm>
#include <cstdio>
#include <deque>
#include <fmt/format.h>
#include <memory>
#include <optional>
#include <set>

namespace ringone::launcher {
namespace {

using namespace translator;

constexpr std::uint32_t kCodeBytes = 4U << 20U;
constexpr std::uint32_t kCodeRun = 0xFFC40000; ///< in a zone of the usual size; listings do not show it
constexpr std::uint32_t kExitGate = kCodeRun - 0x1000;
constexpr std::uint64_t kMaxFileBytes = std::uint64_t{1} << 30U;
constexpr std::uint32_t kDefaultBlocks = 16;

/// Does execution go on behind an instruction that the monitor executes?
bool goes_on(const Instruction& instruction) {
    switch (instruction.info.meta.category) {
    case ZYDIS_CATEGORY_UNCOND_BR:
    case ZYDIS_CATEGORY_RET:
    case ZYDIS_CATEGORY_SYSRET: return false;
    default: break;
    }
    return instruction.mnemonic() != ZYDIS_MNEMONIC_SYSEXIT;
}

/// Translates, and keeps the blocks still to be listed.
class Walk {
public:
    Walk(ProgramImage& program, const TranslateSettings& settings)
        : program_(program), settings_(settings), code_(kCodeBytes), metadata_(Translator::metadata_bytes()),
          translator_({code_.data(), kCodeRun, kCodeBytes}, *gs_, kExitGate, metadata_, settings.translation) {
        context_.code_size = settings.bits;
        context_.stack_32 = settings.bits == CodeSize::bits32;
        context_.osfxsr = true;
        add(settings.start);
    }

    std::string run() {
        std::string text;
        while (!waiting_.empty() && totals_.blocks < settings_.blocks) {
            const std::uint32_t eip = waiting_.front();
            waiting_.pop_front();
            const Translator::Result result =
                translator_.get(program_, translator_.cache().intern(context_), eip);
            if (result.status != PlanStatus::ok) {
                if (eip == settings_.start) throw UserError(fmt::format("there is no code at {:#x}", eip));
                text += fmt::format("block {:08x}: not in the file\n\n", eip);
                continue;
            }
            text += list_fragment(translator_, program_, result.fragment, {settings_.stubs, settings_.side_table},
                                  totals_);
            text += '\n';
            follow(eip);
        }
        return text + totals();
    }

private:
    void add(std::uint32_t eip) {
        if (known_.insert(eip).second) waiting_.push_back(eip);
    }

    void follow(std::uint32_t eip) {
        if (translator_.planner().plan(program_, context_, eip, false, *plan_).status != PlanStatus::ok) return;
        const Terminal& t = plan_->terminal;
        switch (t.kind) {
        case TerminalKind::branch:
        case TerminalKind::counter_branch:
        case TerminalKind::call:
            add(t.next);
            add(t.target);
            break;
        case TerminalKind::jump: add(t.target); break;
        case TerminalKind::indirect_call:
        case TerminalKind::fall_through: add(t.next); break;
        case TerminalKind::callout: {
            const Instruction& last = plan_->instructions[t.instruction];
            // Some near branches are the monitor's, too: CALL in 16-bit code, LOOP out of the segment.
            if (const std::optional<std::uint32_t> target = branch_target(last)) add(*target);
            if (goes_on(last)) add(t.next);
            break;
        }
        case TerminalKind::enter_kernel:
        case TerminalKind::exit_kernel:
        case TerminalKind::return_to_user:
        case TerminalKind::indirect_jump:
        case TerminalKind::ret:
        case TerminalKind::fault:
        case TerminalKind::step: break;
        }
    }

    [[nodiscard]] std::string totals() const {
        const ListingTotals& n = totals_;
        std::string text = fmt::format("{} blocks listed, {} more known\n", n.blocks, waiting_.size());
        text += fmt::format("{} guest bytes became {} bytes of fragments and {} of stubs ({:.2f} a guest byte)\n",
                            n.guest_bytes, n.body_bytes, n.stub_bytes,
                            static_cast<double>(n.body_bytes + n.stub_bytes) / std::max(n.guest_bytes, 1U));
        text += fmt::format("{} instructions:", n.instructions);
        for (std::size_t i = 0; i < kTreatments; ++i)
            text += fmt::format("{} {} {} ({:.1f} %)", i == 0 ? "" : ",", treatment_name(static_cast<Treatment>(i)),
                                n.by_treatment[i], 100.0 * n.by_treatment[i] / std::max(n.instructions, 1U));
        return text + '\n';
    }

    ProgramImage& program_;
    const TranslateSettings& settings_;
    std::vector<std::uint8_t> code_;
    std::vector<std::byte> metadata_;
    std::unique_ptr<GsArea> gs_ = std::make_unique<GsArea>();
    std::unique_ptr<Plan> plan_ = std::make_unique<Plan>();
    Translator translator_;
    CodeContext context_;
    std::deque<std::uint32_t> waiting_;
    std::set<std::uint32_t> known_;
    ListingTotals totals_;
};

struct TranslateOptions {
    std::string file;
    std::optional<std::uint32_t> at;
    std::uint32_t bits = 32;
    std::uint32_t blocks = kDefaultBlocks;
    std::vector<std::string> without;
    bool stubs = false;
    bool side_table = false;
};

int translate(const TranslateOptions& options) {
    TranslateSettings settings{switches_without(options.without).translation,
                               options.bits == 16 ? CodeSize::bits16 : CodeSize::bits32,
                               0,
                               options.blocks,
                               options.stubs,
                               options.side_table};
    std::vector<std::uint8_t> file = read_file(options.file, "program", kMaxFileBytes);
    const bool elf = is_elf(file);
    if (!elf && !options.at)
        throw UserError(fmt::format("{} is no ELF program: --at tells where plain code begins", options.file));
    ProgramImage program = elf ? ProgramImage::from_elf(options.file, std::move(file))
                               : ProgramImage::from_flat(options.file, std::move(file), *options.at);
    settings.start = options.at.value_or(program.entry());
    const std::string text = list_translation(program, settings);
    std::fputs(text.c_str(), stdout);
    if (std::fflush(stdout) != 0) throw UserError("cannot write the listing");
    return kExitSuccess;
}

} // namespace

std::string list_translation(ProgramImage& program, const TranslateSettings& settings) {
    return Walk(program, settings).run();
}

void add_translate(CLI::App& app, std::function<int()>& command) {
    const auto options = std::make_shared<TranslateOptions>();
    CLI::App* const sub = app.add_subcommand("translate", "Show guest code beside its translation");
    sub->add_option("file", options->file, "i386 ELF program, or plain code with --at")->required();
    sub->add_option("--at", options->at, "where to begin (ELF: default the entry point); plain code is loaded there");
    sub->add_option("--bits", options->bits, "size of the code segment")
        ->check(CLI::IsMember({16, 32}))
        ->capture_default_str();
    sub->add_option("--blocks", options->blocks, "list at most so many blocks")
        ->check(CLI::Range(std::uint32_t{1}, std::uint32_t{1000000}))
        ->capture_default_str();
    sub->add_option("--without", options->without, "switch optimizations off: all, " + switch_names())->delimiter(',');
    sub->add_flag("--stubs", options->stubs, "show what lies outside the fragments' bodies, too");
    sub->add_flag("--side-table", options->side_table, "show what makes faults precise");
    sub->callback([options, &command] { command = [options] { return translate(*options); }; });
}

} // namespace ringone::launcher
