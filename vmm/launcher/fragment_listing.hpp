// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "translator/translator.hpp"

#include <array>
#include <cstdint>
#include <string>

namespace ringone::launcher {

inline constexpr std::size_t kTreatments = 5;

/// Sums over the fragments listed.
struct ListingTotals {
    std::uint32_t blocks = 0;
    std::uint32_t instructions = 0;
    std::uint32_t guest_bytes = 0;
    std::uint32_t body_bytes = 0;
    std::uint32_t stub_bytes = 0;
    std::array<std::uint32_t, kTreatments> by_treatment{}; ///< indexed by translator::Treatment
};

struct ListingOptions {
    bool stubs = false;
    bool side_table = false;
};

[[nodiscard]] const char* treatment_name(translator::Treatment treatment);

/// A live fragment beside the guest instructions that it was made from, which are planned anew from `source`. What
/// depends on where things lie (branch displacements, GS offsets, link numbers) is named and shown as "..".
/// Adds the fragment to `totals`.
[[nodiscard]] std::string list_fragment(translator::Translator& translator, translator::CodeSource& source,
                                        translator::FragmentId id, const ListingOptions& options,
                                        ListingTotals& totals);

} // namespace ringone::launcher
