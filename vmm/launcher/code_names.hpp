// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "translator/cache.hpp"
#include "translator/decoder.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ringone::launcher {

/// One instruction of a fragment or stub, ready to print.
struct CodeLine {
    std::uint32_t run;
    std::uint32_t length;
    std::string bytes;
    std::string text;
};

/// Code outside a fragment's body that only this fragment leads to: exits, call stubs, its tag check.
struct Stub {
    std::uint32_t run;
    std::uint32_t length = 0;
    std::string name;
    std::vector<CodeLine> lines;
};

/// Reads a fragment's code and names what it refers to.
class CodeNames {
public:
    CodeNames(translator::TranslationCache& cache, translator::FragmentId id);

    [[nodiscard]] const std::vector<CodeLine>& body() const { return body_; }
    [[nodiscard]] const std::vector<Stub>& stubs() const { return stubs_; }

private:
    [[nodiscard]] translator::Instruction read(std::uint32_t run) const;
    [[nodiscard]] bool is_shared(std::uint32_t run) const;
    void note_stub(std::uint32_t run, const char* name);
    void measure_stub(Stub& stub) const;
    [[nodiscard]] std::string stub_name(std::uint32_t run) const;
    [[nodiscard]] std::string address_name(std::uint32_t run) const;
    [[nodiscard]] std::string exit_name(std::uint32_t exit_info) const;
    [[nodiscard]] CodeLine line(const translator::Instruction& instruction) const;
    [[nodiscard]] std::vector<CodeLine> lines(std::uint32_t run, std::uint32_t length) const;

    translator::TranslationCache& cache_;
    const translator::Fragment& fragment_;
    translator::Decoder decoder_;
    std::vector<CodeLine> body_;
    std::vector<Stub> stubs_;
};

/// Intel syntax.
[[nodiscard]] std::string disassemble(const translator::Instruction& instruction);
/// Where a direct branch leads, or nothing.
[[nodiscard]] std::optional<std::uint32_t> branch_target(const translator::Instruction& instruction);

} // namespace ringone::launcher
