// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "translator/decoder.hpp"

#include <cstdint>

namespace ringone::translator {

/// All CPU state, besides the bytes and the EIP, that a translation depends on. Fragments with equal contexts may
/// be chained; a change of context goes through the monitor.
struct CodeContext {
    std::uint32_t cs_base = 0;
    std::uint32_t cs_limit = 0xFFFFFFFF; ///< highest valid EIP
    CodeSize code_size = CodeSize::bits32;
    bool stack_32 = true; ///< SS.B
    std::uint8_t cpl = 0;
    bool virtual_8086 = false;
    bool protected_mode = true;
    bool fpu_emulated = false; ///< CR0.EM
    bool task_switched = false; ///< CR0.TS
    bool monitor_coprocessor = false; ///< CR0.MP
    bool osfxsr = false;       ///< CR4.OSFXSR
    bool tsc_restricted = false; ///< RDTSC must call out: CR4.TSD and CPL > 0, or a virtual TSC
    std::uint8_t view = 0;     ///< which set of linear-to-physical translations of code pages
    bool fs_holds_gs = false;  ///< the hardware's FS holds the guest's GS instead of its FS

    friend constexpr bool operator==(const CodeContext&, const CodeContext&) = default;

    /// Dispatch-table class: 0 supervisor, 1 user.
    [[nodiscard]] constexpr std::uint32_t dispatch_class() const { return (cpl == 3 || virtual_8086) ? 1 : 0; }
};

} // namespace ringone::translator
