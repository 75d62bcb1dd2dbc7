// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace ringone::vmm {

struct CpuidLeaf {
    std::uint32_t leaf = 0;
    std::uint32_t subleaf = 0;
    std::uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};

/// The leaves of the host that CpuidModel::build looks at; those the host lacks may be left out.
[[nodiscard]] std::span<const CpuidLeaf> host_leaves_of_interest();

struct CpuidOptions {
    /// Announce a hypervisor: leaf 1 ECX bit 31, and leaf 0x40000000 with our signature. Off: the guest sees a plain CPU.
    bool hypervisor = false;
};

/// What CPUID answers. The host's vendor, family, model and cache geometry; of its features those the platform virtualizes
/// (SDM Vol. 2 CPUID; AMD APM Vol. 3 appendix E). No APIC, MTRR, MCE, AVX, XSAVE, VMX, SVM, long mode; one thread.
class CpuidModel {
public:
    CpuidModel() = default;
    /// From the host's leaves, executed on the CPU the guest runs on.
    [[nodiscard]] static CpuidModel build(std::span<const CpuidLeaf> host, CpuidOptions options);

    /// `leaf` out of range answers as the vendor's CPUs do: the highest basic leaf (Intel) or zeros.
    [[nodiscard]] CpuidLeaf query(std::uint32_t leaf, std::uint32_t subleaf) const;

    [[nodiscard]] bool has_no_execute() const;
    [[nodiscard]] bool intel() const { return intel_; }

private:
    static constexpr std::size_t kCapacity = 24;

    [[nodiscard]] const CpuidLeaf* find(std::uint32_t leaf, std::uint32_t subleaf) const;
    void add(const CpuidLeaf& leaf);

    std::array<CpuidLeaf, kCapacity> leaves_{};
    std::size_t count_ = 0;
    bool intel_ = false;
};

} // namespace ringone::vmm
