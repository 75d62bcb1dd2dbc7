// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "translator/decoder.hpp"
#include "vmm/monitor/emulate/native_runner.hpp"
#include "vmm/monitor/memory_access.hpp"
#include "vmm/monitor/vcpu.hpp"

namespace ringone::vmm {

struct EmulationOutcome {
    enum class Kind : std::uint8_t {
        done,        ///< executed, EIP is behind it or at the branch target
        partial,     ///< a REP string instruction made progress; EIP still at it, interrupts may be taken
        fault,       ///< `fault` is to be delivered; nothing changed but a string instruction's finished elements
        unsupported, ///< `why`
    };
    Kind kind = Kind::done;
    GuestFault fault{};
    const char* why = "";

    [[nodiscard]] static constexpr EmulationOutcome of(const MaybeFault& maybe) {
        return maybe ? EmulationOutcome{Kind::fault, *maybe, ""} : EmulationOutcome{};
    }
    [[nodiscard]] static constexpr EmulationOutcome unsupported(const char* reason) {
        return {Kind::unsupported, {}, reason};
    }
};

/// Executes one unprivileged instruction whose memory access the hardware cannot do for it: beyond a truncated
/// limit, in MMIO, on a write-protected page, around 4 GiB. Expects VCpu::eip == insn.eip.
[[nodiscard]] EmulationOutcome emulate(VCpu& vcpu, LinearMemory& memory, NativeRunner& runner,
                                       const translator::Instruction& insn);

} // namespace ringone::vmm
