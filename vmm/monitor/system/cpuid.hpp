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
    /// IA32_ARCH_CAPABILITIES, for an Intel host: what the guest need not guard against (SDM Vol. 4 table 2-2). 0: the CPU
    /// has no such register.
    std::uint64_t arch_capabilities = 0;
};

/// Bits of IA32_ARCH_CAPABILITIES.
namespace arch_capability {
inline constexpr std::uint64_t kRdclNo = 1ULL << 0;     ///< no Meltdown, no L1TF
inline constexpr std::uint64_t kIbrsAll = 1ULL << 1;    ///< IBRS set once protects for good
inline constexpr std::uint64_t kMdsNo = 1ULL << 5;
inline constexpr std::uint64_t kPschangeMcNo = 1ULL << 6;
inline constexpr std::uint64_t kTaaNo = 1ULL << 8;
inline constexpr std::uint64_t kStaleDataNo = 7ULL << 13; ///< SBDR/SSDP, FBSDP, PSDP
inline constexpr std::uint64_t kBhiNo = 1ULL << 20;
inline constexpr std::uint64_t kGdsNo = 1ULL << 26;
inline constexpr std::uint64_t kRfdsNo = 1ULL << 27;
inline constexpr std::uint64_t kItsNo = 1ULL << 62;
} // namespace arch_capability

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
    /// 0 where the guest's CPU has no IA32_ARCH_CAPABILITIES, nor IA32_SPEC_CTRL.
    [[nodiscard]] std::uint64_t arch_capabilities() const { return arch_capabilities_; }

private:
    static constexpr std::size_t kCapacity = 24;

    [[nodiscard]] const CpuidLeaf* find(std::uint32_t leaf, std::uint32_t subleaf) const;
    void add(const CpuidLeaf& leaf);

    std::array<CpuidLeaf, kCapacity> leaves_{};
    std::size_t count_ = 0;
    bool intel_ = false;
    std::uint64_t arch_capabilities_ = 0;
};

} // namespace ringone::vmm
