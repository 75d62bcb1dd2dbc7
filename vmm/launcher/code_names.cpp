// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "vmm/launcher/code_names.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

namespace ringone::launcher {
namespace {

using namespace translator;

constexpr const char* kSegmentNames[] = {"es", "cs", "ss", "ds", "fs", "gs"};

constexpr struct {
    std::size_t offset;
    const char* name;
} kSlots[] = {
    {offsetof(GsArea, spill_eax), "spill_eax"},
    {offsetof(GsArea, spill_ecx), "spill_ecx"},
    {offsetof(GsArea, return_esp), "return_esp"},
    {offsetof(GsArea, target), "target"},
    {offsetof(GsArea, exit_info), "exit_info"},
    {offsetof(GsArea, exit_eip), "exit_eip"},
    {offsetof(GsArea, virtual_if), "virtual_if"},
    {offsetof(GsArea, virtual_flags), "virtual_flags"},
    {offsetof(GsArea, flags_delta), "flags_delta"},
    {offsetof(GsArea, interrupt_waits), "interrupt_waits"},
    {offsetof(GsArea, temporary), "temporary"},
    {offsetof(GsArea, return_target), "return_target"},
    {offsetof(GsArea, flags_spill), "flags_spill"},
    {offsetof(GsArea, enter_closed), "enter_closed"},
    {offsetof(GsArea, exit_closed), "exit_closed"},
    {offsetof(GsArea, return_closed), "return_closed"},
    {offsetof(GsArea, enter_esp), "enter_esp"},
    {offsetof(GsArea, enter_eip), "enter_eip"},
    {offsetof(GsArea, passage), "passage"},
};

bool in_table(std::uint32_t offset, std::size_t table) {
    return offset >= table && offset - table < sizeof(GsArea::return_cache);
}

std::string slot_name(std::uint32_t offset) {
    for (const auto& slot : kSlots)
        if (slot.offset == offset) return slot.name;
    constexpr std::size_t kSelectors = offsetof(GsArea, guest_selectors);
    if (offset >= kSelectors && offset - kSelectors < sizeof(GsArea::guest_selectors))
        return fmt::format("selector_{}", kSegmentNames[(offset - kSelectors) / 4]);
    constexpr std::size_t kLoaded = offsetof(GsArea, loaded_way);
    if (offset >= kLoaded && offset - kLoaded < sizeof(GsArea::loaded_way))
        return fmt::format("loaded_way_{}", kSegmentNames[(offset - kLoaded) / 4]);
    constexpr std::size_t kModes = offsetof(GsArea, modes);
    if (offset >= kModes && offset - kModes < sizeof(GsArea::modes)) {
        constexpr const char* kFields[] = {"swap_fs", "swap_other", "swap_cs", "swap_wrap", "ss", "es", "ds", "cs_selector",
                                           "ss_selector"};
        static_assert(sizeof(ModeSegments) == std::size(kFields) * sizeof(std::uint32_t));
        const std::size_t mode = (offset - kModes) / sizeof(ModeSegments);
        return fmt::format("{}.{}", mode == 0 ? "kernel" : "user",
                           kFields[(offset - kModes) % sizeof(ModeSegments) / sizeof(std::uint32_t)]);
    }
    constexpr std::size_t kWays = offsetof(GsArea, ways);
    if (offset >= kWays && offset - kWays < sizeof(GsArea::ways)) {
        constexpr const char* kFields[] = {"", ".shadow", ".user_shadow", ".wrap"};
        const std::size_t way = (offset - kWays) / sizeof(SelectorWay);
        return fmt::format("way{}_{}{}", way / kSegmentRegisters, kSegmentNames[way % kSegmentRegisters],
                           kFields[(offset - kWays) % sizeof(SelectorWay) / 4]);
    }
    constexpr std::pair<std::size_t, const char*> kTables[] = {
        {offsetof(GsArea, return_cache), "return_cache"}, {offsetof(GsArea, indirect_table), "indirect_table"}};
    for (const auto& [table, name] : kTables) {
        if (!in_table(offset, table)) continue;
        const auto entry = static_cast<std::uint32_t>(offset - table) / 4;
        const std::string index = entry % kDispatchEntries == 0 ? "" : fmt::format("[{:#x}]", entry % kDispatchEntries);
        return fmt::format("{}[{}]{}", name, entry / kDispatchEntries, index);
    }
    return fmt::format("{:#x}", offset);
}

const ZydisDecodedOperand* gs_operand(const Instruction& instruction) {
    for (const ZydisDecodedOperand& operand : instruction.visible())
        if (operand.type == ZYDIS_OPERAND_TYPE_MEMORY && operand.mem.segment == ZYDIS_REGISTER_GS) return &operand;
    return nullptr;
}

/// The value that an instruction stores into a GS slot as an immediate.
std::optional<std::uint32_t> stored_immediate(const Instruction& instruction) {
    const auto operands = instruction.visible();
    if (instruction.mnemonic() != ZYDIS_MNEMONIC_MOV || operands.size() != 2 ||
        operands[1].type != ZYDIS_OPERAND_TYPE_IMMEDIATE)
        return {};
    return static_cast<std::uint32_t>(operands[1].imm.value.u);
}

std::uint32_t displacement(const ZydisDecodedOperand& operand) {
    return static_cast<std::uint32_t>(operand.mem.disp.value);
}

void replace_after(std::string& text, const char* mark, const char* end, const std::string& by) {
    const std::size_t begin = text.find(mark) + std::char_traits<char>::length(mark);
    const std::size_t stop = *end == 0 ? text.size() : text.find(end, begin);
    text.replace(begin, stop - begin, by);
}

std::string hex_bytes(const Instruction& instruction, const std::vector<bool>& hidden) {
    std::string text;
    for (std::uint32_t i = 0; i < instruction.length(); ++i)
        text += (i != 0 ? " " : "") + (hidden[i] ? std::string("..") : fmt::format("{:02x}", instruction.bytes[i]));
    return text;
}

} // namespace

std::string disassemble(const Instruction& instruction) {
    ZydisFormatter formatter;
    ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_INTEL);
    char text[160];
    ZydisFormatterFormatInstruction(&formatter, &instruction.info, instruction.operands,
                                    instruction.info.operand_count_visible, text, sizeof text, instruction.eip,
                                    nullptr);
    return text;
}

std::optional<std::uint32_t> branch_target(const Instruction& instruction) {
    const auto operands = instruction.visible();
    if (operands.size() != 1 || operands[0].type != ZYDIS_OPERAND_TYPE_IMMEDIATE || !operands[0].imm.is_relative)
        return {};
    const std::uint32_t target = instruction.next_eip() + static_cast<std::uint32_t>(operands[0].imm.value.s);
    return instruction.info.operand_width == 16 ? target & 0xFFFFU : target;
}

CodeNames::CodeNames(TranslationCache& cache, FragmentId id) : cache_(cache), fragment_(cache.fragment(id)) {
    const std::uint32_t end = fragment_.ccf + fragment_.ccf_length;
    for (std::uint32_t at = fragment_.ccf; at < end;) {
        const Instruction instruction = read(at);
        if (const auto target = branch_target(instruction)) note_stub(*target, nullptr);
        at = instruction.next_eip();
    }
    if (fragment_.indirect_entry != 0) note_stub(fragment_.indirect_entry, "tag check");
    if (fragment_.return_entry != 0) note_stub(fragment_.return_entry, "return check");
    body_ = lines(fragment_.ccf, fragment_.ccf_length);
    for (Stub& stub : stubs_) stub.lines = lines(stub.run, stub.length);
}

Instruction CodeNames::read(std::uint32_t run) const {
    Instruction instruction;
    const std::span<const std::uint8_t> bytes(cache_.writable(run), kMaxInstructionLength);
    if (decoder_.decode(CodeSize::bits32, bytes, run, instruction) != DecodeStatus::ok) {
        // Nothing of ours should not decode; shown as the one byte it is.
        constexpr std::uint8_t kNop = 0x90;
        (void)decoder_.decode(CodeSize::bits32, {&kNop, 1}, run, instruction);
    }
    return instruction;
}

bool CodeNames::is_shared(std::uint32_t run) const {
    return run == cache_.exit_gate() || run == cache_.indirect_miss() || run == cache_.return_miss(0) ||
           run == cache_.return_miss(1) || cache_.find_by_address(run) != kNone;
}

void CodeNames::note_stub(std::uint32_t run, const char* name) {
    const auto known = [run](const Stub& stub) { return stub.run == run; };
    if (is_shared(run) || std::any_of(stubs_.begin(), stubs_.end(), known)) return;
    Stub stub{run, 0, name != nullptr ? name : stub_name(run), {}};
    measure_stub(stub);
    stubs_.push_back(stub);
    for (std::uint32_t at = run; at < run + stub.length;) {
        const Instruction instruction = read(at);
        const auto target = branch_target(instruction);
        if (target && *target - run >= stub.length) note_stub(*target, nullptr);
        at = instruction.next_eip();
    }
}

/// A stub ends with the first jump that no branch before it skips.
void CodeNames::measure_stub(Stub& stub) const {
    std::uint32_t skipped_to = 0;
    for (std::uint32_t at = stub.run;;) {
        const Instruction instruction = read(at);
        const auto target = branch_target(instruction);
        at = instruction.next_eip();
        stub.length = at - stub.run;
        if (instruction.mnemonic() == ZYDIS_MNEMONIC_JMP) {
            if (stub.length > skipped_to) return;
        } else if (target) {
            skipped_to = std::max(skipped_to, *target - stub.run);
        }
    }
}

std::string CodeNames::stub_name(std::uint32_t run) const {
    const Instruction first = read(run);
    const auto value = stored_immediate(first);
    if (value && gs_operand(first) != nullptr) return exit_name(*value);
    const ZydisDecodedOperand* slot = gs_operand(first);
    if (slot != nullptr && displacement(*slot) == offsetof(GsArea, target)) return "unknown target";
    return fmt::format("{:08x}", run);
}

std::string CodeNames::exit_name(std::uint32_t exit_info) const {
    const std::uint32_t payload = exit_info >> kExitKindBits;
    switch (static_cast<ExitKind>(exit_info & ((1U << kExitKindBits) - 1))) {
    case ExitKind::link:
        // A site of an indirect branch has no target yet.
        if (cache_.link(payload).target_eip == kNone) return "exit of the site";
        return fmt::format("exit to {:08x}", cache_.link(payload).target_eip);
    case ExitKind::indirect: return "indirect";
    case ExitKind::callout: return "callout";
    case ExitKind::fault: return fmt::format("fault {}", payload);
    case ExitKind::step: return "step";
    case ExitKind::native: return "native";
    }
    return fmt::format("{:#x}", exit_info);
}

std::string CodeNames::address_name(std::uint32_t run) const {
    if (run - fragment_.ccf < fragment_.ccf_length) return fmt::format("+{:03x}", run - fragment_.ccf);
    if (run == cache_.exit_gate()) return "exit gate";
    if (run == cache_.indirect_miss()) return "indirect miss";
    for (std::uint32_t c = 0; c < kDispatchClasses; ++c)
        if (run == cache_.return_miss(c)) return fmt::format("return miss {}", c);
    for (const Stub& stub : stubs_)
        if (run - stub.run < std::max(stub.length, 1U))
            return run == stub.run ? stub.name : fmt::format("+{:03x}", run - stub.run);
    if (const FragmentId other = cache_.find_by_address(run); other != kNone)
        return fmt::format("fragment {:08x}", cache_.fragment(other).eip);
    return fmt::format("{:08x}", run);
}

CodeLine CodeNames::line(const Instruction& instruction) const {
    std::string text = disassemble(instruction);
    std::vector<bool> hidden(kMaxInstructionLength, false);
    const auto hide = [&hidden](std::uint32_t offset, std::uint32_t bits) {
        std::fill_n(hidden.begin() + offset, bits / 8, true);
    };
    const auto& raw = instruction.info.raw;
    if (const auto target = branch_target(instruction)) {
        replace_after(text, " ", "", address_name(*target));
        if (raw.imm[0].size == 32) hide(raw.imm[0].offset, 32);
    }
    if (const ZydisDecodedOperand* operand = gs_operand(instruction)) {
        const std::uint32_t offset = displacement(*operand);
        const std::string index = operand->mem.base != ZYDIS_REGISTER_NONE ? "ecx+" : "";
        replace_after(text, "gs:[", "]", index + slot_name(offset));
        hide(raw.disp.offset, raw.disp.size);
        const auto value = stored_immediate(instruction);
        if (value && (offset == offsetof(GsArea, exit_info) || in_table(offset, offsetof(GsArea, return_cache)))) {
            const bool exit = offset == offsetof(GsArea, exit_info);
            replace_after(text, ", ", "", exit ? exit_name(*value) : address_name(*value));
            hide(raw.imm[0].offset, raw.imm[0].size);
        }
    }
    return {instruction.eip, instruction.length(), hex_bytes(instruction, hidden), text};
}

std::vector<CodeLine> CodeNames::lines(std::uint32_t run, std::uint32_t length) const {
    std::vector<CodeLine> out;
    for (std::uint32_t at = run; at < run + length;) {
        const Instruction instruction = read(at);
        out.push_back(line(instruction));
        at = instruction.next_eip();
    }
    return out;
}

} // namespace ringone::launcher
