// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "vmm/monitor/memory_access.hpp"
#include "vmm/monitor/vcpu.hpp"

#include <algorithm>
#include <cstdint>

namespace ringone::vmm {

/// The guest's breakpoints, DR0-DR3 and DR7 (SDM Vol. 3 sections 17.2.1, 17.2.4, 17.2.5). The host's debug registers are
/// not ours to use: the instruction at an execution breakpoint begins a block that only the monitor enters
/// (translator::CutPoints), pages with data breakpoints are kept from the hardware so that their accesses come to the
/// monitor (WorldMappings), and so do ports anyway. Descriptors, stacks of far transfers and the like count as accesses,
/// as on the CPU; what the delivery of an interrupt or exception pushes does not.
class Breakpoints {
public:
    static constexpr std::uint32_t kPoints = 4;

    /// Do the registers say something else than at the last load()?
    [[nodiscard]] bool changed(const VCpu& vcpu) const {
        return control_ != vcpu.dr[7] || port_breakpoints_ != ((vcpu.cr4 & cr4::kDe) != 0) ||
               !std::equal(addresses_, addresses_ + kPoints, vcpu.dr.begin());
    }
    /// Takes the registers over. Hits stay.
    void load(const VCpu& vcpu);

    /// The breakpoints that an instruction at the linear address meets, as DR6 bits 0-3. Whether they count (RF, the
    /// shadow of MOV SS) is the caller's to know.
    [[nodiscard]] std::uint32_t execution_at(std::uint32_t linear) const {
        return execution_ == 0 ? 0 : execution_hits(linear);
    }
    /// Calls each(linear) for the execution breakpoints.
    template <typename Each>
    void for_each_execution(Each each) const {
        for (std::uint32_t i = 0; i < kPoints; ++i)
            if ((execution_ >> i & 1U) != 0) each(addresses_[i]);
    }

    [[nodiscard]] bool watches_memory() const { return data_ != 0; }
    /// Must the monitor see such accesses to the linear page?
    [[nodiscard]] bool watches(std::uint32_t linear_page, AccessType type) const {
        return data_ != 0 && page_watched(linear_page, type);
    }
    /// The first page in [page, end) with a data breakpoint, or `end`.
    [[nodiscard]] std::uint32_t next_watched_page(std::uint32_t page, std::uint32_t end) const;
    /// Calls each(linear_page) for the pages with data breakpoints.
    template <typename Each>
    void for_each_watched_page(Each each) const {
        for (std::uint32_t i = 0; i < kPoints; ++i)
            if ((data_ >> i & 1U) != 0) each(addresses_[i] / kPage);
    }

    /// A data access of an instruction is being made.
    void access(std::uint32_t linear, std::size_t bytes, AccessType type) {
        if (data_ != 0) hits_ |= data_hits(linear, static_cast<std::uint32_t>(bytes), type);
    }
    void port_access(std::uint16_t port, std::uint32_t bytes) {
        if (ports_ != 0) hits_ |= port_hits(port, bytes);
    }
    /// What accesses have met since forget_hits(), as DR6 bits 0-3: a trap behind the instruction.
    [[nodiscard]] std::uint32_t hits() const { return hits_; }
    void forget_hits() { hits_ = 0; }

private:
    static constexpr std::uint32_t kPage = 4096;

    [[nodiscard]] std::uint32_t kind(std::uint32_t point) const;
    [[nodiscard]] std::uint32_t bytes(std::uint32_t point) const;
    [[nodiscard]] bool meets(std::uint32_t point, std::uint32_t first, std::uint32_t count) const;
    [[nodiscard]] std::uint32_t execution_hits(std::uint32_t linear) const;
    [[nodiscard]] bool page_watched(std::uint32_t linear_page, AccessType type) const;
    [[nodiscard]] std::uint32_t data_hits(std::uint32_t linear, std::uint32_t bytes, AccessType type) const;
    [[nodiscard]] std::uint32_t port_hits(std::uint16_t port, std::uint32_t bytes) const;

    std::uint32_t addresses_[kPoints] = {};
    std::uint32_t control_ = 0x400; ///< DR7 after reset
    bool port_breakpoints_ = false; ///< CR4.DE
    std::uint32_t execution_ = 0, data_ = 0, ports_ = 0; ///< the enabled ones of each kind, a bit each
    std::uint32_t hits_ = 0;
};

} // namespace ringone::vmm
