// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
//
// Random operations on the translation cache beside a model of it. After each one, every exit in the cache's code
// must lead where the model says, which is also what the link table says.
#include "tests/unit/translator/translator_machine.hpp"
#include "tests/unit/translator/verifier.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

namespace ringone::tests {
namespace {

using namespace translator;

constexpr std::uint32_t kPage = FakeGuest::kPage;
constexpr std::uint32_t kFirstPage = 16, kPages = 3;
constexpr std::uint32_t kSlot = 32; ///< bytes of guest code written at once
constexpr std::uint32_t kSlots = kPages * kPage / kSlot;
constexpr std::uint32_t kJumpBytes = 5;
constexpr std::uint32_t kCodeBytes = 8 * 9216 + 1024;

std::uint32_t slot_eip(std::uint32_t slot) { return kFirstPage * kPage + slot * kSlot; }
std::uint32_t unit_of(FragmentId id) { return id / TranslationCache::kFragmentsPerUnit; }

class CacheModel : public testing::TestWithParam<std::uint32_t> {
protected:
    struct Exit {
        std::uint32_t field, stub, target_eip;
        FragmentId from;
        FragmentId to = kNone;
    };
    struct Known {
        Fragment made; ///< as it was then
        bool dead = false;
    };

    void SetUp() override {
        for (std::uint32_t slot = 0; slot < kSlots; ++slot) write_slot(slot);
        // What the outermost slots lead to: HLT.
        for (const std::uint32_t eip : {slot_eip(0) - kSlot, slot_eip(kSlots)})
            machine_.guest.put(eip, std::vector<std::uint8_t>(kSlot, 0xF4));
        contexts_.resize(3, machine_.context);
        contexts_[1].task_switched = true;
        contexts_[2].cpl = 3;
    }

    TranslationCache& cache() { return machine_.cache(); }
    std::uint32_t below(std::uint32_t bound) { return static_cast<std::uint32_t>(random_() % bound); }
    std::uint32_t led_to(std::uint32_t field) { return field + 4 + machine_.word_at(field); }
    bool starts_with(std::uint32_t run, std::initializer_list<std::uint8_t> bytes) {
        return std::equal(bytes.begin(), bytes.end(), cache().writable(run));
    }

    /// A few INCs, then one of the ways to end a block.
    void write_slot(std::uint32_t slot) {
        std::vector<std::uint8_t> code(below(6), 0x43);
        const auto relative = [&](std::initializer_list<std::uint8_t> opcode) {
            code.insert(code.end(), opcode);
            const std::uint32_t next = slot_eip(slot) + static_cast<std::uint32_t>(code.size()) + 4;
            const std::uint32_t displacement = slot_eip(below(kSlots)) - next;
            for (unsigned shift = 0; shift < 32; shift += 8) code.push_back(static_cast<std::uint8_t>(displacement >> shift));
        };
        const auto plain = [&](std::initializer_list<std::uint8_t> bytes) {
            for (const std::uint8_t b : bytes) code.push_back(b);
        };
        switch (below(10)) {
        case 0:
        case 1: relative({0xE9}); break;
        case 2:
        case 3: relative({0x0F, 0x84}); break;
        case 4: relative({0xE8}); break;
        case 5: plain({0xE2, 0xF0}); break; // LOOP
        case 6: plain({0xC3}); break;
        case 7: plain({0xFF, 0xD0}); break; // CALL eax
        case 8: plain({0xFF, 0xE0}); break; // JMP eax
        default: plain({0xF4}); break;
        }
        code.resize(kSlot, 0x90);
        // At its page's end: an instruction that goes on in the next slot.
        if ((slot_eip(slot) + kSlot) % kPage == 0) code[kSlot - 2] = 0xB8;
        machine_.guest.put(slot_eip(slot), code);
    }

    /// Finds a new fragment's exits in its code: rel32 branches to exit stubs, also those of call stubs.
    void learn(FragmentId id) {
        const Fragment f = cache().fragment(id);
        fragments_[id] = {f};
        Instruction i;
        const Decoder decoder;
        const auto read = [&](std::uint32_t run) {
            EXPECT_EQ(decoder.decode(CodeSize::bits32, {cache().writable(run), kMaxInstructionLength}, run, i),
                      DecodeStatus::ok);
        };
        for (std::uint32_t at = f.ccf; at < f.ccf + f.ccf_length; at += i.length()) {
            read(at);
            if (i.info.raw.imm[0].size != 32 || !i.info.raw.imm[0].is_relative) continue;
            std::uint32_t field = at + i.info.raw.imm[0].offset;
            if (i.mnemonic() == ZYDIS_MNEMONIC_CALL) {
                std::uint32_t stub = led_to(field);
                const Instruction call = i;
                for (unsigned n = 0; n < 2; ++n) {
                    read(stub);
                    stub += i.length();
                }
                i = call;
                if (!starts_with(stub, {0xE9})) continue; // it dispatches
                field = stub + 1;
            }
            learn_exit(id, field);
        }
    }
    void learn_exit(FragmentId from, std::uint32_t field) {
        const std::uint32_t stub = led_to(field);
        if (stub == TranslatorMachine::kExitGate || !starts_with(stub, {0x65, 0xC7, 0x05})) return; // or a miss
        const std::uint32_t info = machine_.word_at(stub + 7);
        if ((info & 0xFU) != static_cast<std::uint32_t>(ExitKind::link)) return;
        const LinkId id = info >> kExitKindBits;
        ASSERT_FALSE(exits_.contains(id)) << "one link for two exits";
        exits_[id] = {field, stub, cache().link(id).target_eip, from};
    }

    /// Everything of the unit is gone.
    void forget_unit(std::uint32_t unit) {
        std::erase_if(exits_, [unit](const auto& e) { return unit_of(e.second.from) == unit; });
        for (auto& [id, exit] : exits_)
            if (exit.to != kNone && unit_of(exit.to) == unit) exit.to = kNone;
        std::erase_if(fragments_, [unit](const auto& f) { return unit_of(f.first) == unit; });
    }
    void forget_dead(FragmentId id) {
        Known& known = fragments_.at(id);
        known.dead = true;
        for (auto& [link, exit] : exits_)
            if (exit.to == id) exit.to = kNone;
        std::erase_if(exits_, [&](const auto& e) {
            return e.second.from == id && e.second.field - known.made.ccf < kJumpBytes;
        });
        ASSERT_TRUE(starts_with(known.made.ccf, {0xE9}));
        learn_exit(id, known.made.ccf + 1);
    }

    void translate() {
        activate();
        translate(slot_eip(below(kSlots)) + (below(8) == 0 ? kSlot - 2 : below(4)), below(16) == 0);
    }
    void translate(std::uint32_t eip, bool one_instruction) {
        const std::uint64_t made = cache().counters().fragments;
        const std::uint64_t evicted = cache().counters().evicted_units;
        const FragmentId first = machine_.translate(eip, one_instruction);
        const auto count = static_cast<FragmentId>(cache().counters().fragments - made);
        if (count == 0) {
            ASSERT_TRUE(fragments_.contains(first));
            return;
        }
        const std::uint32_t unit = unit_of(first);
        ASSERT_TRUE(unit == unit_ || unit == (unit_ + 1) % TranslationCache::kUnits);
        if (cache().counters().evicted_units != evicted) {
            ASSERT_NE(unit, unit_);
            forget_unit(unit);
        }
        unit_ = unit;
        for (FragmentId id = first; id < first + count; ++id) {
            ASSERT_FALSE(fragments_.contains(id));
            learn(id);
        }
    }

    void chain() {
        if (exits_.empty()) return;
        auto it = exits_.lower_bound(below(TranslationCache::kUnits * TranslationCache::kLinksPerUnit));
        if (it == exits_.end()) it = exits_.begin();
        for (std::uint32_t n = below(20); n > 0 && std::next(it) != exits_.end(); --n) ++it;
        const LinkId link = it->first;
        const std::uint8_t context = fragments_.at(it->second.from).made.context;
        if ((context & kOneInstruction) != 0) return;
        machine_.context = cache().context(context);
        const std::uint32_t target_eip = it->second.target_eip;
        // A block that began within an instruction may lead anywhere.
        if (target_eip - (slot_eip(0) - kSlot) >= (kSlots + 1) * kSlot) return;
        translate(target_eip, false);
        if (HasFailure()) return;
        it = exits_.find(link); // unless it was evicted
        if (it == exits_.end() || it->second.target_eip != target_eip) return;
        const FragmentId target = cache().find(target_eip, context);
        if (target == kNone) return;
        cache().chain(link, target);
        if (it->second.to == kNone) it->second.to = target;
    }

    /// Does the fragment depend on one of these bytes? Pages are mapped one to one.
    static bool made_from(const Fragment& f, std::uint32_t page, std::uint32_t first, std::uint32_t last) {
        for (std::uint32_t i = 0; i < f.guest_length; ++i) {
            const std::uint32_t at = f.eip + i;
            if (at / kPage == page && at % kPage >= first && at % kPage <= last) return true;
        }
        return false;
    }

    void kill(std::uint32_t page, std::uint32_t first, std::uint32_t last) {
        std::set<FragmentId> doomed;
        for (const auto& [id, known] : fragments_)
            if (!known.dead && made_from(known.made, page, first, last)) doomed.insert(id);
        ASSERT_EQ(cache().covers(page, first, last), !doomed.empty());
        const std::uint64_t evicted = cache().counters().evicted_units;
        const std::uint32_t killed = cache().invalidate(page, first, last);
        if (cache().counters().evicted_units == evicted) {
            ASSERT_EQ(killed, doomed.size());
        } else {
            ASSERT_LE(killed, doomed.size());
        }
        // A unit without room for a dead fragment's exit went as a whole.
        std::set<std::uint32_t> gone;
        for (const FragmentId id : doomed)
            if (cache().find_by_address(fragments_.at(id).made.ccf) == kNone) gone.insert(unit_of(id));
        ASSERT_EQ(gone.size(), cache().counters().evicted_units - evicted);
        for (const FragmentId id : doomed)
            if (!gone.contains(unit_of(id))) forget_dead(id);
        for (const std::uint32_t unit : gone) forget_unit(unit);
    }

    void rewrite() {
        const std::uint32_t slot = below(kSlots);
        write_slot(slot);
        const std::uint32_t eip = slot_eip(slot);
        kill(eip / kPage, eip % kPage, eip % kPage + kSlot - 1);
    }
    void invalidate() {
        const std::uint32_t first = below(kPage);
        kill(kFirstPage + below(kPages), first, std::min(first + below(below(16) == 0 ? kPage : 4), kPage - 1));
    }
    void make_indirect_target() {
        const auto it = fragments_.lower_bound(below(TranslationCache::kUnits) * TranslationCache::kFragmentsPerUnit + below(200));
        if (it == fragments_.end() || it->second.dead || it->second.made.context != active_) return;
        cache().make_indirect_target(it->first);
        const Fragment& f = cache().fragment(it->first);
        GsArea& gs = machine_.gs();
        // What a paired call leaves there.
        const std::uint32_t c = cache().context(active_).dispatch_class();
        gs.return_cache[c][below(kDispatchEntries)] = f.ccf + below(f.ccf_length);
    }
    void activate() {
        if (below(8) == 0) machine_.context = contexts_[below(3)];
        active_ = cache().intern(machine_.context);
        cache().activate(active_);
    }
    void flush() {
        cache().flush();
        fragments_.clear();
        exits_.clear();
        unit_ = 0;
        activate();
    }

    void check() {
        std::map<FragmentId, std::set<LinkId>> incoming;
        for (const auto& [id, exit] : exits_) {
            const Link& link = cache().link(id);
            ASSERT_EQ(link.field, exit.field);
            ASSERT_EQ(link.to, exit.to);
            ASSERT_EQ(link.from, exit.from);
            ASSERT_EQ(led_to(exit.field), exit.to == kNone ? exit.stub : fragments_.at(exit.to).made.ccf);
            ASSERT_EQ(machine_.word_at(exit.stub + 7) >> kExitKindBits, id) << "a stub was overwritten";
            if (exit.to != kNone) incoming[exit.to].insert(id);
        }
        for (const auto& [id, known] : fragments_) {
            const Fragment& f = cache().fragment(id);
            ASSERT_EQ(f.dead, known.dead);
            ASSERT_EQ(cache().find_by_address(f.ccf), id);
            ASSERT_EQ(cache().find(f.eip, f.context) == id, !known.dead);
            std::set<LinkId> listed;
            LinkId previous = kNone;
            for (LinkId l = f.incoming; l != kNone; previous = l, l = cache().link(l).next) {
                ASSERT_EQ(cache().link(l).previous, previous);
                ASSERT_TRUE(listed.insert(l).second);
            }
            ASSERT_EQ(listed, incoming[id]);
        }
    }
    void check_code() {
        Verifier verifier(cache());
        std::set<std::uint32_t> entries = {cache().indirect_miss()};
        for (const auto& [id, known] : fragments_) {
            entries.insert(cache().fragment(id).indirect_entry);
            if (known.dead) continue;
            for (const std::string& problem : verifier.check(id)) FAIL() << problem;
        }
        for (std::uint32_t c = 0; c < kDispatchClasses; ++c) {
            for (const std::uint32_t entry : machine_.gs().indirect_table[c]) ASSERT_TRUE(entries.contains(entry));
            for (const std::uint32_t entry : machine_.gs().return_cache[c])
                ASSERT_TRUE(entry == cache().return_miss(c) || cache().find_by_address(entry) != kNone);
        }
    }

    std::mt19937_64 random_{GetParam()};
    TranslatorMachine machine_{options_of(GetParam()), kCodeBytes};
    std::vector<CodeContext> contexts_;
    std::map<FragmentId, Known> fragments_;
    std::map<LinkId, Exit> exits_;
    std::uint32_t unit_ = 0; ///< being filled
    std::uint8_t active_ = 0;

private:
    static Options options_of(std::uint32_t seed) {
        Options o;
        o.fall_through = (seed & 1U) != 0;
        o.return_cache = (seed & 2U) != 0;
        return o;
    }
};

TEST_P(CacheModel, every_exit_leads_where_it_should) {
    constexpr std::uint32_t kOperations = 5000, kCodeChecks = 100;
    activate();
    for (std::uint32_t n = 0; n < kOperations; ++n) {
        const std::uint32_t choice = below(1000);
        if (choice < 200) translate();
        else if (choice < 800) chain();
        else if (choice < 930) make_indirect_target();
        else if (choice < 970) rewrite();
        else if (choice < 999) invalidate();
        else if (below(8) == 0) flush();
        if (!HasFailure()) check();
        if (!HasFailure() && n % kCodeChecks == 0) check_code();
        ASSERT_FALSE(HasFailure()) << "operation " << n << ", choice " << choice;
    }
    const CacheCounters& c = cache().counters();
    EXPECT_GT(c.links_made, 200U);
    EXPECT_GT(c.links_cut, 100U);
    EXPECT_GT(c.invalidated, 200U);
    EXPECT_GT(c.evicted_units, 0U);
    EXPECT_GT(c.indirect_entries, 30U);
}

INSTANTIATE_TEST_SUITE_P(Seeds, CacheModel, testing::Range(0U, 8U));

} // namespace
} // namespace ringone::tests
