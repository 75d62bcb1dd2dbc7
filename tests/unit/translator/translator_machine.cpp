// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "tests/unit/translator/translator_machine.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

namespace ringone::tests {

using namespace translator;

std::vector<std::uint8_t>& FakeGuest::bytes(std::uint32_t physical_page) {
    std::vector<std::uint8_t>& page = memory_[physical_page];
    page.resize(kPage);
    return page;
}

void FakeGuest::put(std::uint32_t linear, std::span<const std::uint8_t> from) {
    for (const std::uint8_t b : from) {
        const auto known = pages_.try_emplace(linear / kPage, linear / kPage).first;
        bytes(known->second)[linear % kPage] = b;
        ++linear;
    }
}

std::uint32_t FakeGuest::fetch(std::uint32_t linear, std::span<std::uint8_t> to) {
    const auto found = pages_.find(linear / kPage);
    if (found == pages_.end()) return 0;
    const std::uint32_t offset = linear % kPage;
    const auto n = std::min<std::uint32_t>(static_cast<std::uint32_t>(to.size()), kPage - offset);
    std::memcpy(to.data(), bytes(found->second).data() + offset, n);
    return n;
}

TranslatorMachine::TranslatorMachine(const Options& options, std::uint32_t code_bytes)
    : code_(code_bytes), metadata_(Translator::metadata_bytes()),
      translator({code_.data(), kRun, code_bytes}, *gs_, kExitGate, metadata_, options) {
    context.osfxsr = true;
}

FragmentId TranslatorMachine::translate(std::uint32_t eip, bool one_instruction) {
    const Translator::Result result = translator.get(guest, cache().intern(context), eip, one_instruction);
    EXPECT_EQ(result.status, PlanStatus::ok) << std::hex << eip;
    return result.fragment;
}

std::uint32_t TranslatorMachine::word_at(std::uint32_t run) {
    std::uint32_t word;
    std::memcpy(&word, cache().writable(run), sizeof word);
    return word;
}

} // namespace ringone::tests
