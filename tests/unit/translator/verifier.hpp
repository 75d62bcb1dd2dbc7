// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "tests/unit/translator/raw_instruction.hpp"
#include "translator/cache.hpp"

#include <capstone/capstone.h>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

namespace ringone::tests {

/// Reads the code of live fragments as the CPU would (with Capstone, not with the decoder that the translator used)
/// and checks that a guest cannot get out of it, or at the monitor's data, and that every fault in it is precise.
class Verifier {
public:
    explicit Verifier(translator::TranslationCache& cache);
    ~Verifier();
    Verifier(const Verifier&) = delete;
    Verifier& operator=(const Verifier&) = delete;

    /// What is wrong with the fragment and the stubs that it leads to; empty: nothing.
    [[nodiscard]] std::vector<std::string> check(translator::FragmentId id);

private:
    /// One instruction of the cache's code.
    struct Line {
        std::uint32_t run = 0;
        std::uint32_t length = 0;
        const std::uint8_t* bytes = nullptr;
        bool has_modrm = false;
        const char* forbidden = nullptr; ///< why Capstone's groups forbid it
        RawInstruction raw;

        [[nodiscard]] bool is(std::initializer_list<unsigned> prefix) const;
        [[nodiscard]] std::uint32_t dword(std::uint32_t offset) const;
        [[nodiscard]] std::uint32_t end() const { return run + length; }
        /// GS form OP with a 32-bit displacement only, to `slot`.
        [[nodiscard]] bool gs(unsigned opcode, unsigned modrm, std::size_t slot) const;
    };
    using Lines = std::vector<Line>;

    [[nodiscard]] bool read(std::uint32_t run, std::uint32_t known_end, Line& out);
    [[nodiscard]] Lines read_lines(std::uint32_t run, std::uint32_t count);
    void read_body(const translator::Fragment& f);

    void check_side_table();
    void check_opcode(std::size_t index);
    void check_segment(std::size_t index);
    [[nodiscard]] std::uint32_t passage_before(std::size_t index) const;
    [[nodiscard]] bool is_passage_load(std::size_t index) const;
    [[nodiscard]] bool is_way(std::size_t index) const;
    void check_segment_load(std::size_t index);
    void check_branch(std::size_t index);
    void check_precision(std::size_t index);
    void check_undo();
    void check_target(const Line& line, std::uint32_t target);
    void check_exit_stub(const Line& line, std::uint32_t run);
    [[nodiscard]] bool is_unknown_exit(const Line& line, std::uint32_t run);
    [[nodiscard]] bool is_landing(std::size_t index) const;
    [[nodiscard]] bool is_return_check(const Lines& lines, std::uint32_t eip) const;
    void check_landing(std::size_t index);
    void check_return_entry();
    void check_tag_check();
    [[nodiscard]] bool is_dispatch(std::size_t index) const;
    [[nodiscard]] std::uint32_t table(std::size_t base) const;
    [[nodiscard]] const Line& line(std::size_t index) const; ///< an empty one outside the body
    void expect(bool good, const Line& line, const char* what);

    translator::TranslationCache& cache_;
    csh capstone_{};
    cs_insn* found_ = nullptr;
    translator::FragmentId id_ = translator::kNone;
    translator::Fragment fragment_{};
    Lines body_;
    std::vector<std::string> problems_;
};

} // namespace ringone::tests
