// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
//
// Every fragment made from random guest code passes the verifier, whatever the options and the context; and the
// verifier finds what is wrong in fragments that were tampered with.
#include "tests/differential/sequence.hpp"
#include "tests/unit/translator/translator_machine.hpp"
#include "tests/unit/translator/verifier.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <random>

namespace ringone::tests {
namespace {

using namespace translator;

constexpr std::uint32_t kEip = 0x1000;

Options options_of(std::uint32_t bits) {
    Options o;
    o.chain = (bits & 1U) != 0;
    o.fall_through = (bits & 2U) != 0;
    o.indirect_lookup = (bits & 4U) != 0;
    o.return_cache = (bits & 8U) != 0;
    o.inline_cli_sti = (bits & 16U) != 0;
    o.inline_pushf_popf = (bits & 32U) != 0;
    o.inline_selector_reads = (bits & 64U) != 0;
    o.site_cache = o.place_entries = (bits & 128U) != 0;
    o.inline_selector_loads = o.inline_passages = (bits & 256U) != 0;
    return o;
}
constexpr std::uint32_t kOptionSets = 512;

/// The link of the site that ends a fragment, if one does. Link numbers past the fragment's own are old ones.
LinkId site_of(TranslationCache& cache, FragmentId id) {
    const Fragment& f = cache.fragment(id);
    const Link& l = cache.link(f.link_first);
    const std::uint32_t site = l.field - TranslationCache::kSiteToField;
    const bool inside = site - f.ccf < f.ccf_length && l.field + 4 - f.ccf <= f.ccf_length;
    if (!inside || l.from != id || l.target_eip != kNone || *cache.writable(site) != 0xE9) return kNone;
    return f.link_first;
}

CodeContext random_context(Generator& g, CodeSize size) {
    CodeContext c;
    c.code_size = size;
    c.osfxsr = g.below(8) != 0;
    c.cpl = g.below(2) != 0 ? 3 : 0;
    c.fs_holds_gs = g.below(2) != 0;
    c.fpu_emulated = g.below(16) == 0;
    c.task_switched = g.below(16) == 0;
    c.tsc_restricted = g.below(4) == 0;
    c.stack_32 = g.below(8) != 0;
    if (g.below(16) == 0) c.cs_limit = 0xFFFF;
    return c;
}

/// Instructions the differential test leaves out: what must never run as it is.
std::vector<std::uint8_t> wild_bytes(Generator& g) {
    constexpr std::uint8_t kPrefixes[] = {0x66, 0x67, 0xF2, 0xF3, 0xF0, 0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65};
    std::vector<std::uint8_t> bytes;
    for (std::uint32_t n = 1 + g.below(4); n > 0; --n) {
        while (g.below(3) == 0) bytes.push_back(kPrefixes[g.below(std::size(kPrefixes))]);
        if (g.below(2) == 0) bytes.push_back(0x0F);
        for (std::uint32_t i = 1 + g.below(8); i > 0; --i) bytes.push_back(static_cast<std::uint8_t>(g.word() >> 7U));
    }
    return bytes;
}

std::uint32_t setting(const char* name, std::uint32_t otherwise) {
    const char* text = std::getenv(name);
    return text != nullptr ? static_cast<std::uint32_t>(std::strtoul(text, nullptr, 0)) : otherwise;
}

class VerifyRandom : public testing::TestWithParam<CodeSize> {};

TEST_P(VerifyRandom, every_fragment_is_safe_and_precise) {
    const std::uint32_t per_set = setting("RINGONE_VERIFIED", 200);
    std::uint64_t checked = 0;
    std::uint32_t failures = 0;
    for (std::uint32_t bits = 0; bits < kOptionSets && failures < 5; ++bits) {
        Generator generator(bits, GetParam());
        TranslatorMachine machine(options_of(bits));
        Verifier verifier(machine.cache());
        for (std::uint32_t n = 0; n < per_set && failures < 5; ++n) {
            machine.cache().flush();
            const std::vector<std::uint8_t> code = generator.below(2) != 0
                                                       ? assemble(generator.sequence(), kEip, GetParam())
                                                       : wild_bytes(generator);
            machine.guest.put(kEip, code);
            // Experience with some of its instructions; what comes of it stays for the next sequences.
            machine.context = random_context(generator, GetParam());
            for (std::uint32_t offset = 0; offset < generator.below(16); ++offset) {
                Instruction met;
                if (machine.translator.planner().fetch(machine.guest, machine.context, kEip + offset, met).status !=
                    Planner::Fetched::ok)
                    continue;
                const std::uint32_t linear = machine.context.cs_base + kEip + offset;
                const bool wrapped = generator.below(2) != 0;
                while (!machine.translator.site_hints().trapped(linear, met, wrapped)) {}
            }
            const bool one = generator.below(8) == 0;
            const std::uint64_t before = machine.cache().counters().fragments;
            const FragmentId first = machine.translate(kEip, one);
            const auto made = static_cast<FragmentId>(machine.cache().counters().fragments - before);
            for (FragmentId id = first; id < first + made; ++id, ++checked) {
                if (!one && machine.translator.options().indirect_lookup && generator.below(4) == 0)
                    machine.cache().make_indirect_target(id);
                // A site that has met one target, or two.
                if (const LinkId site = site_of(machine.cache(), id); site != kNone)
                    for (std::uint32_t met = generator.below(3); met > 0; --met)
                        (void)machine.cache().learn_target(site, id);
                if (!one && machine.translator.options().return_cache && generator.below(4) == 0)
                    machine.cache().make_return_target(id);
                for (const std::string& problem : verifier.check(id)) {
                    ADD_FAILURE() << problem << "\noptions " << bits << ", CPL " << +machine.context.cpl << "\n"
                                  << describe(code, kEip, GetParam());
                    ++failures;
                }
            }
        }
    }
    EXPECT_GE(checked, std::uint64_t{kOptionSets} * per_set);
}

INSTANTIATE_TEST_SUITE_P(Sizes, VerifyRandom, testing::Values(CodeSize::bits16, CodeSize::bits32),
                         [](const auto& one) { return one.param == CodeSize::bits32 ? "bits32" : "bits16"; });

/// A fragment of one instruction that is then overwritten by another: the verifier must say what is wrong.
struct Tampering {
    const char* problem;
    std::vector<std::uint8_t> guest;   ///< one instruction, as long as
    std::vector<std::uint8_t> instead; ///< what its code is overwritten with
};

void PrintTo(const Tampering& t, std::ostream* out) { *out << t.problem; }

const Tampering kTamperings[] = {
    {"uses GS", {0x8B, 0x43, 0x08}, {0x65, 0x8B, 0x03}},
    {"beyond the GS area's slots", {0x8B, 0x84, 0x8B, 0, 0, 0, 0}, {0x65, 0x8B, 0x05, 0x00, 0x00, 0x10, 0x00}},
    {"reads through CS", {0x8B, 0x43, 0x08}, {0x2E, 0x8B, 0x03}},
    {"reads through CS", {0x89, 0xD8}, {0x2E, 0xA4}},
    {"a segment register load", {0x89, 0xD8}, {0x8E, 0xD8}},
    {"a segment register load", {0x8B, 0x84, 0x8B, 0, 0, 0, 0}, {0x65, 0x8E, 0x1D, 0x3C, 0, 0, 0}},
    {"push, pop es", {0x90}, {0x07}},
    {"popf", {0x90}, {0x9D}},
    {"pushf", {0x90}, {0x9C}},
    {"ret far, int3, int, into, iret", {0x89, 0xD8}, {0xCD, 0x80}},
    {"ret far, int3, int, into, iret", {0x90}, {0xCF}},
    {"syscall, clts, sysret, invd, wbinvd", {0x89, 0xD8}, {0x0F, 0x05}},
    {"rdmsr, rdpmc, sysenter, sysexit", {0x89, 0xD8}, {0x0F, 0x34}},
    {"in, out dx", {0x90}, {0xEC}},
    {"jmp far", {0x8B, 0x84, 0x8B, 0, 0, 0, 0}, {0xEA, 0, 0, 0, 0, 0x33, 0}},
    {"jmp far m", {0x8B, 0x03}, {0xFF, 0x2B}},
    {"privileged", {0x90}, {0xF4}},
    {"RET", {0x90}, {0xC3}},
    {"RET", {0x8B, 0x43, 0x08}, {0xC2, 0x08, 0x00}},
    {"an indirect branch", {0x89, 0xD8}, {0xFF, 0xE0}},
    {"an indirect branch", {0x89, 0xD8}, {0xFF, 0x13}},
    {"a short branch to no instruction", {0x89, 0xD8}, {0xEB, 0xF0}},
    {"CALL", {0xB8, 0, 0, 0, 0}, {0xE8, 0, 0, 0, 0}},
    {"into the middle of a fragment", {0xB8, 0, 0, 0, 0}, {0xE9, 0, 0, 0, 0}},
    {"to the exit gate without saying why", {0xB8, 0, 0, 0, 0}, {0xE9, 0xFB, 0xEF, 0xFF, 0xFF}},
    {"VEX, EVEX or XOP", {0xB8, 0, 0, 0, 0}, {0xC5, 0xF8, 0x28, 0xC1, 0x90}},
    {"does not decode", {0x89, 0xD8}, {0x0F, 0x04}},
    {"a side entry, or the end, inside an instruction", {0x90}, {0xB8}},
};

class VerifyTampered : public testing::TestWithParam<Tampering> {};

TEST_P(VerifyTampered, is_found) {
    TranslatorMachine machine;
    std::vector<std::uint8_t> code = GetParam().guest;
    constexpr std::uint8_t kRest[] = {0x43, 0x43, 0x43, 0x43, 0xEB, 0xFE};
    code.insert(code.end(), std::begin(kRest), std::end(kRest));
    machine.guest.put(kEip, code);
    const FragmentId id = machine.translate(kEip);
    Verifier verifier(machine.cache());
    ASSERT_TRUE(verifier.check(id).empty());
    std::vector<std::uint8_t> instead = GetParam().instead;
    const std::uint32_t ccf = machine.cache().fragment(id).ccf;
    if (GetParam().problem == std::string("to the exit gate without saying why")) {
        const std::uint32_t relative = TranslatorMachine::kExitGate - (ccf + 5);
        std::memcpy(instead.data() + 1, &relative, sizeof relative);
    }
    std::memcpy(machine.cache().writable(ccf), instead.data(), instead.size());
    const std::vector<std::string> problems = verifier.check(id);
    ASSERT_FALSE(problems.empty());
    bool named = false;
    for (const std::string& p : problems) named |= p.find(std::string(GetParam().problem) + ":") != std::string::npos;
    EXPECT_TRUE(named) << problems[0];
}

INSTANTIATE_TEST_SUITE_P(Fragments, VerifyTampered, testing::ValuesIn(kTamperings));

class VerifySideTable : public testing::Test {
protected:
    FragmentId translate(std::vector<std::uint8_t> code) {
        machine_.guest.put(kEip, code);
        const FragmentId id = machine_.translate(kEip);
        EXPECT_TRUE(verifier_.check(id).empty());
        return id;
    }
    SideEntry& side(FragmentId id, std::size_t index) {
        const auto entries = machine_.cache().side_entries(machine_.cache().fragment(id));
        return const_cast<SideEntry&>(entries[index]);
    }
    bool finds(FragmentId id, const char* what) {
        for (const std::string& p : verifier_.check(id))
            if (p.find(what) != std::string::npos) return true;
        return false;
    }

    TranslatorMachine machine_;
    Verifier verifier_{machine_.cache()};
};

TEST_F(VerifySideTable, a_missing_boundary_is_found) {
    const FragmentId id = translate({0x43, 0x8B, 0x03, 0xEB, 0xFE});
    side(id, 1).flags = 0;
    EXPECT_TRUE(finds(id, "a fault here would not be precise"));
}

TEST_F(VerifySideTable, entries_out_of_order_are_found) {
    const FragmentId id = translate({0x43, 0x8B, 0x03, 0xEB, 0xFE});
    std::swap(side(id, 1), side(id, 2));
    EXPECT_TRUE(finds(id, "side entries are not in order"));
}

TEST_F(VerifySideTable, a_register_that_is_not_restored_is_found) {
    const FragmentId id = translate({0xFF, 0x23});
    side(id, 1).flags = SideEntry::undoable;
    EXPECT_TRUE(finds(id, "ECX is changed and would not be restored"));
}

TEST_F(VerifySideTable, undoing_what_the_guest_has_seen_is_found) {
    const FragmentId id = translate({0x9C, 0xEB, 0xFE});
    side(id, 1).flags = SideEntry::undoable;
    EXPECT_TRUE(finds(id, "undoable behind a change that the guest can see"));
}

TEST_F(VerifySideTable, an_unknown_chain_is_found) {
    const FragmentId id = translate({0x43, 0xEB, 0xFD});
    const LinkId link = machine_.cache().fragment(id).link_first;
    machine_.cache().chain(link, id);
    EXPECT_TRUE(verifier_.check(id).empty());
    machine_.cache().fragment(id).incoming = kNone;
    EXPECT_TRUE(finds(id, "a chained branch that the link table does not know"));
}

} // namespace
} // namespace ringone::tests
