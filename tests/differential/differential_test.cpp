// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
//
// Random sequences run natively and through the translator; everything they leave behind must be the same.
// RINGONE_SEQUENCES: how many a test (default 400000); RINGONE_SEED: the first seed.
#include "tests/differential/sequence.hpp"
#include "tests/differential/two_way_machine.hpp"
#include "tests/unit/translator/verifier.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>

namespace ringone::tests {
namespace {

using translator::CodeSize;

constexpr std::uint32_t kResumeFlag = 1U << 16; // the host's signal frames show RF as the CPU pushed it, ours may not
constexpr std::uint64_t kDefaultSequences = 400000;

std::uint64_t setting(const char* name, std::uint64_t otherwise) {
    const char* text = std::getenv(name);
    return text != nullptr ? std::strtoull(text, nullptr, 0) : otherwise;
}

State initial_state(Generator& g) {
    State s{};
    for (std::uint32_t& r : s.gpr) r = g.interesting_value();
    s.gpr[vmm::kEsp] = 0x4000 + g.below(64) * 4;
    s.eflags = g.word() & vmm::eflags::kStatus;
    if (g.below(8) == 0) s.eflags |= vmm::eflags::kDirection;
    s.fpu[0] = 0x7F; // FCW: all exceptions masked, mostly
    s.fpu[1] = 0x03;
    if (g.below(8) == 0) s.fpu[0] = static_cast<std::uint8_t>(0x40U | g.below(64));
    const std::uint32_t mxcsr = g.below(8) == 0 ? g.word() & 0xFFC0U : 0x1F80U;
    std::memcpy(s.fpu + 24, &mxcsr, 4);
    s.fpu[4] = g.below(2) != 0 ? 0xFF : 0; // abridged tag word: registers valid or empty
    for (std::size_t i = 32; i < 32 + 128; ++i)
        if (i % 16 < 10) s.fpu[i] = static_cast<std::uint8_t>(g.word());
    for (std::size_t i = 160; i < 160 + 128; ++i) s.fpu[i] = static_cast<std::uint8_t>(g.word());
    s.data.resize(kDataBytes);
    // A page of noise repeated: filling all of it anew would be most of the test's time.
    static const std::vector<std::uint8_t> noise = [] {
        std::mt19937_64 random(42);
        std::vector<std::uint8_t> bytes(kDataBytes);
        for (std::uint8_t& b : bytes) b = static_cast<std::uint8_t>(random() >> 7U);
        return bytes;
    }();
    s.data = noise;
    return s;
}

/// FOP, FIP, FCS, FDP, FDS: where the instruction ran. Checked by tests of their own.
void forget_pointers(State& s) { std::memset(s.fpu + 6, 0, 24 - 6); }

/// Empty, or what differs.
std::string difference(State native, State translated) {
    forget_pointers(native);
    forget_pointers(translated);
    static const char* const kNames[] = {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"};
    std::string text;
    const auto compare = [&text](const char* what, std::uint32_t a, std::uint32_t b) {
        if (a == b) return;
        char line[96];
        std::snprintf(line, sizeof line, "  %s: native %08x, translated %08x\n", what, a, b);
        text += line;
    };
    compare("vector", native.vector, translated.vector);
    compare("error code", native.error_code, translated.error_code);
    compare("eip", native.eip, translated.eip);
    compare("eflags", native.eflags & ~kResumeFlag, translated.eflags & ~kResumeFlag);
    for (std::size_t i = 0; i < 8; ++i) compare(kNames[i], native.gpr[i], translated.gpr[i]);
    for (std::uint32_t i = 0; i < 288; ++i)
        if (native.fpu[i] != translated.fpu[i]) {
            compare(("fxsave byte " + std::to_string(i)).c_str(), native.fpu[i], translated.fpu[i]);
            break;
        }
    if (native.data != translated.data)
        for (std::uint32_t i = 0; i < kDataBytes; ++i)
            if (native.data[i] != translated.data[i]) {
                compare(("memory " + std::to_string(i)).c_str(), native.data[i], translated.data[i]);
                break;
            }
    return text;
}

std::string run_both(TwoWayMachine& machine, const std::vector<std::uint8_t>& code, const State& initial) {
    machine.set_code(code);
    State native = initial;
    machine.run_native(native);
    // A CS override reaches beyond the machine's memory: nothing is mapped there natively, while the guest finds a bus.
    if (native.vector == vmm::vector::kPageFault) return {};
    State translated = initial;
    machine.run_translated(translated);
    if (machine.stopped() != nullptr) return std::string("  the monitor stopped: ") + machine.stopped() + "\n";
    return difference(native, translated);
}

/// Drops instructions as long as the rest still shows a difference.
Sequence shrink(TwoWayMachine& machine, CodeSize size, Sequence sequence, const State& initial) {
    for (bool smaller = true; smaller;) {
        smaller = false;
        for (std::size_t i = 0; i < sequence.size() && sequence.size() > 1; ++i) {
            Sequence fewer = sequence;
            fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(i));
            if (run_both(machine, assemble(fewer, machine.code_eip(), size), initial).empty()) continue;
            sequence = fewer;
            smaller = true;
            break;
        }
    }
    return sequence;
}

/// Checks the fragments that begin in the code, as the run left them: chained, entered indirectly, adapted.
void verify_fragments(Verifier& verifier, TwoWayMachine& machine, std::size_t code_bytes) {
    const translator::TranslationCache& cache = machine.monitor().translator().cache();
    for (std::uint32_t offset = 0; offset < code_bytes; ++offset)
        for (std::uint8_t context = 0; context < translator::kMaxContexts; ++context) {
            const translator::FragmentId id = cache.find(machine.code_eip() + offset, context);
            if (id == translator::kNone) continue;
            for (const std::string& problem : verifier.check(id)) ADD_FAILURE() << problem;
        }
}

void compare_many(CodeSize size, const translator::Options& options, std::uint64_t share,
                  vmm::LowMemory low_memory = vmm::LowMemory::automatic) {
    const std::uint64_t count = setting("RINGONE_SEQUENCES", kDefaultSequences) / share;
    const std::uint64_t first_seed = setting("RINGONE_SEED", 1);
    std::printf("%llu sequences from seed %llu\n", static_cast<unsigned long long>(count),
                static_cast<unsigned long long>(first_seed));
    translator::Options used = options;
    // What is called out at once does not count as an access that trapped.
    if (low_memory == vmm::LowMemory::emulated) used.adaptive = false;
    TwoWayMachine machine(size, used, low_memory);
    Verifier verifier(machine.monitor().translator().cache());
    constexpr std::uint64_t kVerifiedShare = 64;
    std::uint64_t failures = 0;
    for (std::uint64_t i = 0; i < count && failures < 10; ++i) {
        if (i % 100000 == 0 && i != 0) {
            std::printf("  %llu done\n", static_cast<unsigned long long>(i));
            std::fflush(stdout);
        }
        Generator g(first_seed + i, size);
        const Sequence sequence = g.sequence();
        const State initial = initial_state(g);
        const std::vector<std::uint8_t> bytes = assemble(sequence, machine.code_eip(), size);
        const std::string first = run_both(machine, bytes, initial);
        if (i % kVerifiedShare == 0) verify_fragments(verifier, machine, bytes.size());
        if (first.empty()) continue;
        ++failures;
        const Sequence small = shrink(machine, size, sequence, initial);
        const auto code = assemble(small, machine.code_eip(), size);
        const auto whole = assemble(sequence, machine.code_eip(), size);
        ADD_FAILURE() << "seed " << first_seed + i << "\n"
                      << describe(whole, machine.code_eip(), size) << first << "shrunk to\n"
                      << describe(code, machine.code_eip(), size) << run_both(machine, code, initial);
    }
    if (!options.native_memory) {
        EXPECT_GT(machine.monitor().counters().emulated, count / 2);
    }
    // Every third sequence or so gets to touch memory at least.
    if (low_memory == vmm::LowMemory::emulated) {
        EXPECT_GT(machine.monitor().counters().low_accesses, count / 3);
    }
}

translator::Options emulator_options() {
    translator::Options options;
    options.native_memory = false;
    return options;
}

TEST(Differential, Code32AllOptimizations) { compare_many(CodeSize::bits32, {}, 1); }
TEST(Differential, Code32NoOptimizations) { compare_many(CodeSize::bits32, translator::plain_options(), 1); }
TEST(Differential, Code16AllOptimizations) { compare_many(CodeSize::bits16, {}, 2); }
TEST(Differential, Code16NoOptimizations) { compare_many(CodeSize::bits16, translator::plain_options(), 2); }
/// All data of a sequence lie where an ordinary user's process cannot map: every access is emulated.
TEST(Differential, Code32LowMemoryEmulated) { compare_many(CodeSize::bits32, {}, 4, vmm::LowMemory::emulated); }
TEST(Differential, Code16LowMemoryEmulated) { compare_many(CodeSize::bits16, {}, 4, vmm::LowMemory::emulated); }

/// The monitor's emulator executes every instruction that accesses memory, whether or not the hardware could.
TEST(Differential, Code32MemoryByTheEmulator) { compare_many(CodeSize::bits32, emulator_options(), 8); }
TEST(Differential, Code16MemoryByTheEmulator) { compare_many(CodeSize::bits16, emulator_options(), 8); }

} // namespace
} // namespace ringone::tests
