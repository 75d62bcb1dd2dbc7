// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include <cstddef>
#include <cstdint>

/// Built as the hosted core is, so that what is found here is found there.
namespace ringone::sanitized {

void write_byte(char* base, std::ptrdiff_t index);
[[nodiscard]] std::uint64_t read_word(const char* address);
[[nodiscard]] int stack_array(int index);  ///< of 8 zeros
[[nodiscard]] int global_array(int index); ///< of 5 zeros
[[nodiscard]] int left_scope();            ///< reads a variable whose block has ended
[[nodiscard]] int whole_frame();           ///< writes 4 KiB of stack
void core_copy(char* to, const char* from, std::size_t bytes);
void core_set(char* to, std::size_t bytes);
[[nodiscard]] std::int32_t sum(std::int32_t a, std::int32_t b);
[[nodiscard]] std::int32_t shifted(std::int32_t value, int by);

/// Built as the launcher is.
[[nodiscard]] int throw_from(int depth);

} // namespace ringone::sanitized
