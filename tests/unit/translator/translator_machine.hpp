// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "translator/translator.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

namespace ringone::tests {

/// Guest code without a guest: pages of bytes behind linear pages.
class FakeGuest final : public translator::CodeSource {
public:
    static constexpr std::uint32_t kPage = 4096;

    /// Puts bytes at a linear address; pages not mapped yet are mapped one to one.
    void put(std::uint32_t linear, std::span<const std::uint8_t> bytes);
    void map(std::uint32_t linear_page, std::uint32_t physical_page) { pages_[linear_page] = physical_page; }
    void unmap(std::uint32_t linear_page) { pages_.erase(linear_page); }

    [[nodiscard]] std::uint32_t fetch(std::uint32_t linear, std::span<std::uint8_t> to) override;
    [[nodiscard]] std::uint32_t physical_page(std::uint32_t linear) override { return pages_.at(linear / kPage); }

private:
    [[nodiscard]] std::vector<std::uint8_t>& bytes(std::uint32_t physical_page);

    std::map<std::uint32_t, std::uint32_t> pages_;
    std::map<std::uint32_t, std::vector<std::uint8_t>> memory_;
};

/// A translator with memory to write to; nothing that it writes is ever run.
class TranslatorMachine {
public:
    static constexpr std::uint32_t kRun = 0xFFC40000; ///< run address of the code memory
    static constexpr std::uint32_t kExitGate = 0xFFC3F000;

    explicit TranslatorMachine(const translator::Options& options = {}, std::uint32_t code_bytes = 1U << 20U);

    /// The fragment for `eip` in `context`; fails the test when there is none.
    [[nodiscard]] translator::FragmentId translate(std::uint32_t eip, bool one_instruction = false);

    [[nodiscard]] translator::TranslationCache& cache() { return translator.cache(); }
    [[nodiscard]] std::uint32_t word_at(std::uint32_t run);

private:
    std::vector<std::uint8_t> code_;
    std::vector<std::byte> metadata_;
    std::unique_ptr<translator::GsArea> gs_ = std::make_unique<translator::GsArea>();

public:
    FakeGuest guest;
    translator::CodeContext context;
    translator::Translator translator;

    [[nodiscard]] translator::GsArea& gs() { return *gs_; }
};

} // namespace ringone::tests
