// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "tests/unit/translator/verifier.hpp"

#include "tests/unit/translator/decoder_differences.hpp"
#include "tests/unit/translator/sensitive_opcodes.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstring>

namespace ringone::tests {

using namespace translator;

namespace {

constexpr std::uint32_t kGs = 0x65;
constexpr std::uint32_t kCs = 0x2E;
constexpr std::uint32_t kFs = 0x64;
constexpr std::uint32_t kExitKindMask = (1U << kExitKindBits) - 1;
constexpr std::size_t kExitInfo = offsetof(GsArea, exit_info);
constexpr std::size_t kExitEip = offsetof(GsArea, exit_eip);
constexpr std::size_t kTarget = offsetof(GsArea, target);
constexpr std::size_t kSpillEax = offsetof(GsArea, spill_eax);
constexpr std::size_t kSpillEcx = offsetof(GsArea, spill_ecx);
constexpr std::size_t kVirtualIf = offsetof(GsArea, virtual_if);

/// Instructions that no fragment may contain, by Capstone's groups.
constexpr struct {
    x86_insn_group group;
    const char* why;
} kForbiddenGroups[] = {
    {X86_GRP_PRIVILEGE, "privileged"}, {X86_GRP_INT, "interrupt"},   {X86_GRP_IRET, "interrupt return"},
    {X86_GRP_VM, "virtualization"},    {X86_GRP_SGX, "SGX"},         {X86_GRP_AVX, "AVX"},
    {X86_GRP_AVX2, "AVX2"},            {X86_GRP_AVX512, "AVX-512"},  {X86_GRP_FMA, "FMA"},
    {X86_GRP_FMA4, "FMA4"},            {X86_GRP_XOP, "XOP"},         {X86_GRP_F16C, "F16C"},
    {X86_GRP_BMI2, "BMI2"},            {X86_GRP_TBM, "TBM"},         {X86_GRP_FSGSBASE, "FSGSBASE"},
    {X86_GRP_RTM, "RTM"},              {X86_GRP_SHA, "SHA"},         {X86_GRP_SMAP, "SMAP"},
    {X86_GRP_ADX, "ADX"},              {X86_GRP_3DNOW, "3DNow!"},
};

bool is_hint_nop(const RawInstruction& r) {
    return r.map == 1 && (r.opcode == 0x0D || (r.opcode >= 0x18 && r.opcode <= 0x1F));
}

/// Does it read or write memory through its segment override? SDM Vol. 2 section 2.1.1 and Vol. 1 table 3-5.
bool uses_override(const RawInstruction& r, bool has_modrm) {
    if (is_hint_nop(r)) return false; // and prefetches: no access that faults or shows anything
    if (r.map == 0) {
        switch (r.opcode) {
        case 0x8D: return false; // LEA
        case 0xA0: case 0xA1: case 0xA2: case 0xA3: // MOV moffs
        case 0xA4: case 0xA5: case 0xA6: case 0xA7: // MOVS, CMPS
        case 0xAC: case 0xAD:                       // LODS
        case 0xD7: return true;                     // XLAT
        default: break;
        }
    }
    if (r.map == 1 && r.opcode == 0xF7) return true; // MASKMOVQ, MASKMOVDQU
    return has_modrm && r.mod() != 3;
}

} // namespace

bool Verifier::Line::is(std::initializer_list<unsigned> prefix) const {
    if (prefix.size() > length) return false;
    return std::equal(prefix.begin(), prefix.end(), bytes, [](unsigned a, std::uint8_t b) { return a == b; });
}

std::uint32_t Verifier::Line::dword(std::uint32_t offset) const {
    std::uint32_t value = 0;
    if (offset + sizeof value <= length) std::memcpy(&value, bytes + offset, sizeof value);
    return value;
}

bool Verifier::Line::gs(unsigned opcode, unsigned modrm, std::size_t slot) const {
    return is({kGs, opcode, modrm}) && dword(3) == slot;
}

Verifier::Verifier(TranslationCache& cache) : cache_(cache) {
    (void)cs_open(CS_ARCH_X86, CS_MODE_32, &capstone_);
    cs_option(capstone_, CS_OPT_DETAIL, CS_OPT_ON);
    found_ = cs_malloc(capstone_);
}

Verifier::~Verifier() {
    cs_free(found_, 1);
    cs_close(&capstone_);
}

void Verifier::expect(bool good, const Line& at, const char* what) {
    if (good) return;
    char text[256];
    int n = std::snprintf(text, sizeof text, "fragment %08x +%03x: %s:", fragment_.eip, at.run - fragment_.ccf, what);
    for (std::uint32_t i = 0; i < at.length; ++i)
        n += std::snprintf(text + n, sizeof text - static_cast<std::size_t>(n), " %02x", at.bytes[i]);
    problems_.emplace_back(text);
}

const Verifier::Line& Verifier::line(std::size_t index) const {
    static const Line kNoLine;
    return index < body_.size() ? body_[index] : kNoLine;
}

std::uint32_t Verifier::table(std::size_t base) const {
    const std::uint32_t c = cache_.context(fragment_.context).dispatch_class();
    return static_cast<std::uint32_t>(base) + c * kDispatchEntries * 4;
}

/// `known_end`: where an instruction that Capstone does not know must end.
bool Verifier::read(std::uint32_t run, std::uint32_t known_end, Line& out) {
    out = {};
    out.run = run;
    out.bytes = cache_.writable(run);
    const std::uint8_t* at = out.bytes;
    std::size_t left = kMaxInstructionLength + 8; // re-encoding adds prefixes; more than 15 bytes would not decode
    std::uint64_t address = run;
    const std::span<const std::uint8_t> bytes(out.bytes, kMaxInstructionLength);
    if (cs_disasm_iter(capstone_, &at, &left, &address, found_)) {
        out.length = found_->size;
        out.has_modrm = found_->detail->x86.encoding.modrm_offset != 0;
        for (const auto& forbidden : kForbiddenGroups)
            if (cs_insn_group(capstone_, found_, forbidden.group)) out.forbidden = forbidden.why;
    } else {
        if (known_end <= run || explain(Disagreement::only_zydis, CodeSize::bits32, bytes) == nullptr) return false;
        out.length = known_end - run;
        out.has_modrm = true;
    }
    out.raw = parse_raw({out.bytes, out.length});
    return true;
}

void Verifier::read_body(const Fragment& f) {
    body_.clear();
    const auto sides = cache_.side_entries(f);
    const std::uint32_t end = f.ccf + f.ccf_length;
    for (std::uint32_t at = f.ccf; at < end;) {
        const auto next = std::find_if(sides.begin(), sides.end(),
                                       [&](const SideEntry& s) { return s.ccf_offset > at - f.ccf; });
        const std::uint32_t known_end = next == sides.end() ? end : f.ccf + next->ccf_offset;
        Line one;
        if (!read(at, known_end, one)) {
            expect(false, one, "does not decode");
            return;
        }
        expect(one.end() <= known_end, one, "a side entry, or the end, inside an instruction");
        body_.push_back(one);
        at = one.end();
    }
}

Verifier::Lines Verifier::read_lines(std::uint32_t run, std::uint32_t count) {
    Lines lines;
    for (std::uint32_t i = 0; i < count; ++i) {
        Line one;
        if (!read(run, 0, one)) expect(false, one, "a stub does not decode");
        run = one.end();
        lines.push_back(one);
    }
    return lines;
}

std::vector<std::string> Verifier::check(FragmentId id) {
    id_ = id;
    fragment_ = cache_.fragment(id);
    problems_.clear();
    read_body(fragment_);
    if (!problems_.empty()) return problems_;
    check_side_table();
    for (std::size_t i = 0; i < body_.size(); ++i) {
        check_opcode(i);
        check_segment(i);
        check_branch(i);
        if (is_landing(i)) check_landing(i);
        check_precision(i);
    }
    check_undo();
    if (fragment_.indirect_entry != 0) check_tag_check();
    if (fragment_.return_entry != 0) check_return_entry();
    return problems_;
}

void Verifier::check_side_table() {
    const auto sides = cache_.side_entries(fragment_);
    const Line& first = line(0);
    expect(!sides.empty() && sides[0].ccf_offset == 0 && sides[0].guest_offset == 0 &&
               (sides[0].flags & SideEntry::boundary) != 0,
           first, "the side table does not begin with the block's first instruction");
    for (std::size_t i = 0; i + 1 < sides.size(); ++i) {
        expect(sides[i].ccf_offset < sides[i + 1].ccf_offset, first, "side entries are not in order");
        expect(sides[i].guest_offset <= sides[i + 1].guest_offset, first, "guest offsets are not in order");
    }
    for (const SideEntry& s : sides) {
        expect(s.ccf_offset <= fragment_.ccf_length && s.guest_offset <= fragment_.guest_length, first,
               "a side entry leads outside the block");
        expect((s.flags & (SideEntry::restore_eax | SideEntry::restore_ecx)) == 0 ||
                   (s.flags & SideEntry::undoable) != 0,
               first, "a side entry restores what it does not undo");
    }
}

void Verifier::check_opcode(std::size_t index) {
    const Line& l = line(index);
    const RawInstruction& r = l.raw;
    if (r.map == 0 && r.opcode == 0x8E) return check_segment_load(index);
    expect(l.forbidden == nullptr, l, l.forbidden != nullptr ? l.forbidden : "");
    const bool wide_prefix = r.opcode == 0xC4 || r.opcode == 0xC5 || r.opcode == 0x62;
    expect(r.map != 0 || !((wide_prefix && r.mod() == 3) || (r.opcode == 0x8F && r.reg() != 0)), l, "VEX, EVEX or XOP");
    expect(r.map != 1 || r.opcode != 0x0B, l, "UD2");
    expect(r.map != 1 || r.opcode != 0x0F, l, "3DNow!");
    expect(r.map != 1 || r.opcode != 0xC7 || (r.reg() == 1 && r.mod() != 3), l, "group 9 but CMPXCHG8B");
    expect(r.map != 1 || r.opcode != 0x31 || !cache_.context(fragment_.context).tsc_restricted, l, "RDTSC");
    for (const SensitiveOpcode& s : kSensitiveOpcodes) {
        if (!s.matches(r)) continue;
        const bool own_pushf = l.is({0x9C}) && line(index + 1).gs(0x89, 0x0D, kSpillEcx);
        expect(own_pushf, l, s.what);
    }
}

/// What an inlined MOV or POP to a segment register loads: one of that register's ways, which the monitor hears of first.
bool Verifier::is_way(std::size_t index) const {
    const Line& l = line(index);
    if (l.bytes[0] != kGs || l.raw.mod() != 0 || l.dword(3) < offsetof(GsArea, ways)) return false;
    const std::size_t at = l.dword(3) - offsetof(GsArea, ways);
    const std::size_t number = at / sizeof(SelectorWay);
    const std::size_t segment = number % kSegmentRegisters;
    constexpr std::size_t kFsNumber = 4;
    const bool held = segment == kFsNumber;
    if (at % sizeof(SelectorWay) != offsetof(SelectorWay, shadow) || number >= kSelectorWays * kSegmentRegisters ||
        l.raw.reg() != (held ? kFsNumber : segment) || cache_.context(fragment_.context).cpl != 0)
        return false;
    const auto told = [&](const Line& o) {
        return o.gs(0xC7, 0x05, offsetof(GsArea, loaded_way) + segment * 4) &&
               o.dword(7) == number / kSegmentRegisters + 1;
    };
    constexpr std::size_t kTellingLines = 9;
    for (std::size_t back = 1; back <= kTellingLines && back <= index; ++back)
        if (told(line(index - back))) return true;
    return false;
}

/// 1 + the dispatch class that the fragment has told the monitor of before this line; 0: it has not.
std::uint32_t Verifier::passage_before(std::size_t index) const {
    for (std::size_t i = index; i-- > 0;)
        if (line(i).gs(0xC7, 0x05, offsetof(GsArea, passage))) return line(i).dword(7);
    return 0;
}

/// What a change of privilege loads: a register's shadow there, which the monitor hears of first.
bool Verifier::is_passage_load(std::size_t index) const {
    const Line& l = line(index);
    const std::uint32_t passage = passage_before(index);
    if (passage == 0 || l.bytes[0] != kGs || l.raw.mod() != 0) return false;
    const std::size_t mode = offsetof(GsArea, modes) + (passage - 1) * sizeof(ModeSegments);
    constexpr std::size_t kFields[] = {offsetof(ModeSegments, es), 0, offsetof(ModeSegments, ss), offsetof(ModeSegments, ds),
                                       offsetof(ModeSegments, swap_fs)};
    const std::uint32_t reg = l.raw.reg();
    return reg != 1 && reg < std::size(kFields) && l.dword(3) == mode + kFields[reg];
}

/// A way, or a passage's, or MOV fs, gs:[slot] around exactly one instruction that uses FS.
void Verifier::check_segment_load(std::size_t index) {
    const Line& l = line(index);
    if (is_way(index) || is_passage_load(index)) return;
    const std::size_t mode = offsetof(GsArea, modes) + cache_.context(fragment_.context).dispatch_class() * sizeof(ModeSegments);
    const std::size_t home = mode + offsetof(ModeSegments, swap_fs);
    const auto loads = [&](std::size_t i, std::size_t slot) { return line(i).gs(0x8E, 0x25, slot); };
    const auto away = [&](std::size_t i) {
        return loads(i, mode + offsetof(ModeSegments, swap_other)) ||
               loads(i, mode + offsetof(ModeSegments, swap_wrap)) || loads(i, mode + offsetof(ModeSegments, swap_cs));
    };
    if (away(index)) {
        const Line& user = line(index + 1);
        expect(user.raw.segment == kFs, l, "FS is switched for nothing");
        expect(loads(index + 2, home), l, "FS is not switched back");
        return;
    }
    expect(loads(index, home) && index >= 2 && away(index - 2), l, "a segment register load");
}

bool Verifier::is_dispatch(std::size_t index) const {
    const Line& c = line(index);
    if (!line(index - 2).is({0x8D, 0x0C, 0x8D, 0, 0, 0, 0}) || !line(index - 1).is({0x0F, 0xB7, 0xC9}) ||
        !c.is({kGs, 0xFF, 0xA1}))
        return false;
    // To the other privilege only behind what makes it the one in force.
    if (const std::uint32_t passage = passage_before(index); passage != 0)
        return c.dword(3) == offsetof(GsArea, indirect_table) + (passage - 1) * kDispatchEntries * 4;
    return c.dword(3) == table(offsetof(GsArea, indirect_table)) || c.dword(3) == table(offsetof(GsArea, return_cache));
}

/// What follows the jump that a guest's call became: only returns get there.
bool Verifier::is_landing(std::size_t index) const {
    const Line& before = line(index - 1);
    return line(index).is({0x8B, 0x4C, 0x24, 0xFC}) && (before.is({0xE9}) || before.is({kGs, 0xFF, 0xA1}));
}

void Verifier::check_segment(std::size_t index) {
    const Line& l = line(index);
    if (l.raw.segment == kCs) expect(!uses_override(l.raw, l.has_modrm), l, "reads through CS");
    if (l.raw.segment != kGs || !uses_override(l.raw, l.has_modrm)) return;
    const unsigned opcode = l.bytes[1];
    constexpr unsigned kForms[] = {0x89, 0x8B, 0xC7, 0x8F, 0xFF, 0x8E, 0x83, 0x33};
    if (l.bytes[0] == kGs && (l.bytes[2] & 0xC7U) == 0x05 &&
        std::find(std::begin(kForms), std::end(kForms), opcode) != std::end(kForms)) {
        expect(l.dword(3) + 4 <= offsetof(GsArea, scratch), l, "beyond the GS area's slots");
        return;
    }
    expect(is_dispatch(index), l, "uses GS");
}

void Verifier::check_branch(std::size_t index) {
    const Line& l = line(index);
    const RawInstruction& r = l.raw;
    const bool is_short = r.map == 0 && ((r.opcode >= 0x70 && r.opcode <= 0x7F) || r.opcode == 0xEB ||
                                         (r.opcode >= 0xE0 && r.opcode <= 0xE3));
    if (is_short) {
        const std::uint32_t to = l.end() + static_cast<std::uint32_t>(static_cast<std::int8_t>(l.bytes[l.length - 1]));
        const bool inside = std::any_of(body_.begin(), body_.end(), [to](const Line& o) { return o.run == to; });
        expect(inside || to == fragment_.ccf + fragment_.ccf_length, l, "a short branch to no instruction");
        return;
    }
    const bool is_near = (r.map == 0 && r.opcode == 0xE9) ||
                         (r.map == 1 && r.opcode >= 0x80 && r.opcode <= 0x8F);
    if (is_near) {
        const std::uint32_t opcode_bytes = r.map + 1;
        expect(l.length == opcode_bytes + 4, l, "a branch with a prefix");
        const std::uint32_t to = l.end() + l.dword(opcode_bytes);
        check_target(l, to);
        return;
    }
    if (r.map != 0) return;
    expect(r.opcode != 0xE8, l, "CALL");
    expect(r.opcode != 0xC3 && r.opcode != 0xC2, l, "RET");
    if (r.opcode == 0xFF && (r.reg() == 2 || r.reg() == 4)) {
        expect(is_dispatch(index), l, "an indirect branch");
        const bool from_return_cache = l.dword(3) == table(offsetof(GsArea, return_cache));
        expect(!from_return_cache || line(index - 3).is({0x59}), l, "the return cache for what is no return");
    }
}

void Verifier::check_target(const Line& l, std::uint32_t target) {
    if (target == cache_.exit_gate()) {
        const auto before = std::find_if(body_.begin(), body_.end(), [&](const Line& o) { return o.run == l.run; });
        const auto index = static_cast<std::size_t>(before - body_.begin());
        expect(l.is({0xE9}) && line(index - 2).gs(0xC7, 0x05, kExitInfo) && line(index - 1).gs(0xC7, 0x05, kExitEip), l,
               "to the exit gate without saying why");
        return;
    }
    if (target == cache_.indirect_miss() || target == cache_.return_miss(table(0) / (kDispatchEntries * 4))) {
        expect(l.is({0xE9}), l, "a conditional miss");
        return;
    }
    if (const FragmentId other = cache_.find_by_address(target); other != kNone) {
        const Fragment& f = cache_.fragment(other);
        expect(f.ccf == target, l, "into the middle of a fragment");
        expect(f.context == fragment_.context, l, "to a fragment of another context");
        LinkId link = f.incoming;
        while (link != kNone && cache_.link(link).field != l.end() - 4) link = cache_.link(link).next;
        expect(link != kNone && cache_.link(link).to == other && cache_.link(link).from == id_, l,
               "a chained branch that the link table does not know");
        expect(!f.dead, l, "chained to a dead fragment");
        return;
    }
    if (is_unknown_exit(l, target)) return;
    check_exit_stub(l, target);
}

/// Where a site's unknown targets leave: with their target, ECX back, and the site's link.
bool Verifier::is_unknown_exit(const Line& l, std::uint32_t run) {
    const Lines t = read_lines(run, 4);
    const std::uint32_t info = t[2].dword(7);
    if (!t[0].gs(0x89, 0x0D, kTarget) || !t[1].gs(0x8B, 0x0D, kSpillEcx) || !t[2].gs(0xC7, 0x05, kExitInfo) ||
        (info & kExitKindMask) != static_cast<std::uint32_t>(ExitKind::indirect) || !t[3].is({0xE9}) ||
        t[3].end() + t[3].dword(1) != cache_.exit_gate())
        return false;
    const std::uint32_t payload = info >> kExitKindBits;
    expect(payload != 0, l, "a site without its link");
    if (payload == 0) return true;
    const Link& link = cache_.link(payload - 1);
    const std::uint32_t site = link.field - TranslationCache::kSiteToField;
    expect(link.from == id_ && l.run - site < TranslationCache::kSiteBytes, l, "a site with another's link");
    return true;
}

void Verifier::check_exit_stub(const Line& l, std::uint32_t run) {
    const Lines stub = read_lines(run, 2);
    if (stub[0].length == 0 || stub[1].length == 0) return;
    const std::uint32_t info = stub[0].dword(7);
    if (!stub[0].gs(0xC7, 0x05, kExitInfo) || (info & kExitKindMask) != static_cast<std::uint32_t>(ExitKind::link) ||
        !stub[1].is({0xE9}) || stub[1].end() + stub[1].dword(1) != cache_.exit_gate()) {
        expect(false, l, "a branch to something that is not an exit stub");
        return;
    }
    const Link& link = cache_.link(info >> kExitKindBits);
    expect(link.stub == run && link.field == l.end() - 4 && link.from == id_ && link.to == kNone, l,
           "an exit that the link table does not know");
}

/// The way in for returns: what lies below ESP is the fragment's own EIP, or control goes to the miss.
bool Verifier::is_return_check(const Lines& t, std::uint32_t eip) const {
    return t[0].is({0x8B, 0x4C, 0x24, 0xFC}) && t[1].is({0x8D, 0x89}) && t[1].dword(2) == 0U - eip &&
           t[2].is({0xE3, 0x05}) && t[3].is({0xE9}) &&
           t[3].end() + t[3].dword(1) == cache_.return_miss(table(0) / (kDispatchEntries * 4)) &&
           t[4].gs(0x8B, 0x0D, kSpillEcx);
}

/// Behind a call.
void Verifier::check_landing(std::size_t index) {
    const Lines lines = {line(index), line(index + 1), line(index + 2), line(index + 3), line(index + 4)};
    expect(is_return_check(lines, fragment_.eip + fragment_.guest_length), line(index),
           "a landing that does not check where the guest returns to");
}

void Verifier::check_return_entry() {
    const Lines t = read_lines(fragment_.return_entry, 5);
    bool leads_on = t[4].end() == fragment_.ccf;
    if (!leads_on) {
        const Line last = read_lines(t[4].end(), 1)[0];
        leads_on = last.is({0xE9}) && last.end() + last.dword(1) == fragment_.ccf;
    }
    expect(is_return_check(t, fragment_.eip) && leads_on, line(0), "a return check that lets another target through");
}

void Verifier::check_tag_check() {
    Lines t = read_lines(fragment_.indirect_entry, 5);
    t.push_back(t[4].end() == fragment_.ccf ? Line{} : read_lines(t[4].end(), 1)[0]);
    const bool heals = t[5].gs(0xC7, 0x05, table(offsetof(GsArea, return_cache)) + (fragment_.eip & kDispatchMask) * 4) &&
                       t[5].dword(7) == fragment_.return_entry && fragment_.return_entry != 0;
    const Line last = heals ? read_lines(t[5].end(), 1)[0] : t[5];
    const bool leads_on = (last.is({0xE9}) && last.end() + last.dword(1) == fragment_.ccf) ||
                          t[4].end() == fragment_.ccf;
    const bool good = t[0].gs(0x8B, 0x0D, kTarget) && t[1].is({0x8D, 0x89}) && t[1].dword(2) == 0U - fragment_.eip &&
                      t[2].is({0xE3, 0x05}) && t[3].is({0xE9}) &&
                      t[3].end() + t[3].dword(1) == cache_.indirect_miss() && t[4].gs(0x8B, 0x0D, kSpillEcx) &&
                      leads_on;
    expect(good, line(0), "a tag check that lets another target through");
}

/// A fault at any instruction must lead to a guest instruction boundary, unless the instruction cannot fault.
void Verifier::check_precision(std::size_t index) {
    const Line& l = line(index);
    const SideEntry* side = cache_.side_entry(fragment_, l.run);
    if (side == nullptr) return expect(false, l, "no side entry");
    const bool at_boundary =
        (side->flags & SideEntry::boundary) != 0 && l.run == fragment_.ccf + side->ccf_offset;
    if (at_boundary || (side->flags & SideEntry::undoable) != 0) return;
    const RawInstruction& r = l.raw;
    const unsigned opcode = r.map == 0 ? r.opcode : 0U;
    const bool gs_slot = l.bytes[0] == kGs && opcode != 0xFF && opcode != 0x8F;
    const bool registers = l.is({0x8D}) || l.is({0x90}) || l.is({0x0F, 0x1F, 0x84}) || l.is({0x0F, 0xB7, 0xC9}) || l.is({0x89, 0xC1}) || l.is({0x88, 0xC4}) ||
                           (r.mod() == 3 && (opcode == 0xF7 || opcode == 0x81)) || l.is({0x9E}) || l.is({0xFC}) ||
                           l.is({0xFD}) || l.is({0x9F}) || l.is({0x0F, 0x90, 0xC0}) || l.is({0x04}) || l.is({0x89, 0xD1});
    const bool branch = opcode == 0xE9 || opcode == 0xEB || (opcode >= 0x70 && opcode <= 0x7F) || l.is({0xE3}) ||
                        l.is({0x0F, static_cast<unsigned>(r.opcode)}) ||
                        (l.is({kGs, 0xFF, 0xA1}) && is_dispatch(index));
    const auto before = [&](std::initializer_list<unsigned> what) {
        for (std::size_t i = index; i-- > 0;)
            if (line(i).is(what)) return true;
        return false;
    };
    // Stack words that the same guest instruction has just pushed, or popped.
    const bool own_word = ((l.is({0x8B, 0x04, 0x24}) || l.is({0x89, 0x04, 0x24})) && before({0x9C})) ||
                          is_landing(index);
    // LOOP and its jump, behind their boundary, do not touch memory.
    expect(gs_slot || registers || branch || own_word, l, "a fault here would not be precise");
}

/// Whoever is rolled back from an undoable range must find the registers, or their spilled values, as they were.
void Verifier::check_undo() {
    bool ecx_dirty = false, eax_dirty = false, ecx_spilled = false, eax_spilled = false, visible = false;
    std::uint32_t guest_offset = kNone;
    for (const Line& l : body_) {
        const SideEntry* side = cache_.side_entry(fragment_, l.run);
        if (side == nullptr) return;
        if (side->guest_offset != guest_offset) {
            guest_offset = side->guest_offset;
            ecx_dirty = eax_dirty = ecx_spilled = eax_spilled = visible = false;
        }
        const bool restores_ecx = (side->flags & SideEntry::restore_ecx) != 0;
        const bool restores_eax = (side->flags & SideEntry::restore_eax) != 0;
        if ((side->flags & SideEntry::undoable) != 0) {
            expect(!ecx_dirty || restores_ecx, l, "ECX is changed and would not be restored");
            expect(!eax_dirty || restores_eax, l, "EAX is changed and would not be restored");
            expect((!restores_ecx || ecx_spilled) && (!restores_eax || eax_spilled), l, "restores what was not spilled");
            expect(!visible, l, "undoable behind a change that the guest can see");
        }
        if (l.gs(0x89, 0x0D, kSpillEcx)) ecx_spilled = true;
        else if (l.gs(0x89, 0x05, kSpillEax)) eax_spilled = true;
        else if (l.gs(0x8B, 0x0D, kSpillEcx)) ecx_dirty = false;
        else if (l.gs(0x8B, 0x05, kSpillEax)) eax_dirty = false;
        else if (l.raw.map == 0 && l.raw.opcode == 0x8B && l.raw.reg() == 1) ecx_dirty = true;
        else if (l.raw.map == 0 && l.raw.opcode == 0x8B && l.raw.reg() == 0) eax_dirty = true;
        else if (l.is({0x8D, 0x0C, 0x8D}) || l.is({0x0F, 0xB7, 0xC9}) || l.is({0x8D, 0x89}) || l.is({0x8D, 0x4C, 0x01, 0x01})) ecx_dirty = true;
        else if (l.raw.map == 1 && l.raw.opcode == 0xB7 && l.raw.reg() == 0) eax_dirty = true;
        else if (l.is({0x0F, 0xB7, 0xC8})) ecx_dirty = true;
        else if (eax_dirty && (l.is({0xF7, 0xD0}) || l.is({0x8D, 0x04, 0x08}))) continue;
        else if (l.is({kGs, 0x89}) || (l.is({kGs, 0xC7}) && !l.gs(0xC7, 0x05, kVirtualIf)) || l.is({kGs, 0x8E}) ||
                 l.is({kGs, 0xFF, 0xA1}) || l.is({0xE3}) || l.is({0xE9}) || l.is({0x90}) || l.is({0x0F, 0x1F, 0x84})) continue;
        else visible = true;
    }
}

} // namespace ringone::tests
