// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "vmm/monitor/system/cpuid.hpp"

#include <algorithm>
#include <initializer_list>

namespace ringone::vmm {
namespace {

constexpr std::uint32_t kMaxBasicLeaf = 7;
constexpr std::uint32_t kExtendedBase = 0x8000'0000;
constexpr std::uint32_t kMaxExtendedLeaf = 0x8000'0008;
constexpr std::uint32_t kHypervisorLeaf = 0x4000'0000;
constexpr std::uint32_t kHypervisorBit = 1U << 31;
constexpr std::uint32_t kIntelEbx = 0x756E'6547; ///< "Genu"
/// "RingOneRing1", in EBX, ECX, EDX.
constexpr std::uint32_t kSignatureEbx = 0x676E'6952, kSignatureEcx = 0x5265'6E4F, kSignatureEdx = 0x3167'6E69;

constexpr std::uint32_t bits(std::initializer_list<unsigned> positions) {
    std::uint32_t mask = 0;
    for (const unsigned position : positions) {
        mask |= 1U << position;
    }
    return mask;
}

/// Leaf 1 ECX: SSE3, PCLMULQDQ, SSSE3, SSE4.1, SSE4.2, MOVBE, POPCNT, AES.
constexpr std::uint32_t kLeaf1Ecx = bits({0, 1, 9, 19, 20, 22, 23, 25});
/// Leaf 1 EDX: FPU, DE, PSE, TSC, MSR, PAE, CX8, SEP, PGE, CMOV, PAT, PSE-36, CLFSH, MMX, FXSR, SSE, SSE2.
constexpr std::uint32_t kLeaf1Edx = bits({0, 2, 3, 4, 5, 6, 8, 11, 13, 15, 16, 17, 19, 23, 24, 25, 26});
/// Leaf 7 EBX, EDX: ERMS and FSRM, which only say that REP MOVSB is fast.
constexpr std::uint32_t kLeaf7Ebx = bits({9});
/// EBX: IA32_TSC_ADJUST, which is ours. With it and an invariant TSC, Linux does not measure the TSC against slower clocks,
/// which would find it unstable where the host takes the processor away between two readings.
constexpr std::uint32_t kTscAdjust = bits({1});
constexpr std::uint32_t kLeaf7Edx = bits({4});
/// EDX: IBRS and IBPB (IA32_SPEC_CTRL, IA32_PRED_CMD), IA32_ARCH_CAPABILITIES.
constexpr std::uint32_t kLeaf7EdxSpeculation = bits({26, 29});
/// Leaf 0x80000001 ECX: LZCNT, PREFETCHW.
constexpr std::uint32_t kExtendedEcx = bits({5, 8});
/// EDX, both vendors: NX.
constexpr std::uint32_t kExtendedEdx = bits({20});
/// EDX, AMD only: the copies of leaf 1 and the MMX extensions.
constexpr std::uint32_t kExtendedEdxCopies = bits({0, 2, 3, 4, 5, 6, 8, 13, 15, 16, 17, 22, 23, 24});
constexpr std::uint32_t kInvariantTsc = bits({8});

constexpr std::uint32_t kClflushSize = 0x0000'FF00;  ///< leaf 1 EBX
constexpr std::uint32_t kOneThread = 0x0001'0000;    ///< leaf 1 EBX: one logical processor
constexpr std::uint32_t kCacheTopology = 0x3FFF;     ///< leaf 4 EAX without sharing and core counts
constexpr std::uint32_t kMaxPhysicalBits = 36;       ///< what 32-bit PAE and PSE-36 paging reach
constexpr std::uint32_t kLinearBits = 32U << 8U;

constexpr std::array<CpuidLeaf, 17> kHostLeaves{{
    CpuidLeaf{.leaf = 0},           CpuidLeaf{.leaf = 1},           CpuidLeaf{.leaf = 2},
    CpuidLeaf{.leaf = 4},           CpuidLeaf{.leaf = 4, .subleaf = 1}, CpuidLeaf{.leaf = 4, .subleaf = 2},
    CpuidLeaf{.leaf = 4, .subleaf = 3}, CpuidLeaf{.leaf = 7},       CpuidLeaf{.leaf = 0x8000'0000},
    CpuidLeaf{.leaf = 0x8000'0001}, CpuidLeaf{.leaf = 0x8000'0002}, CpuidLeaf{.leaf = 0x8000'0003},
    CpuidLeaf{.leaf = 0x8000'0004}, CpuidLeaf{.leaf = 0x8000'0005}, CpuidLeaf{.leaf = 0x8000'0006},
    CpuidLeaf{.leaf = 0x8000'0007}, CpuidLeaf{.leaf = 0x8000'0008}}};

/// One host leaf as the guest sees it.
CpuidLeaf virtualize(const CpuidLeaf& host, bool intel, CpuidOptions options) {
    CpuidLeaf guest = host;
    switch (host.leaf) {
    case 0: guest.eax = std::min(host.eax, kMaxBasicLeaf); break;
    case 1:
        guest.ebx = (host.ebx & kClflushSize) | kOneThread;
        guest.ecx = (host.ecx & kLeaf1Ecx) | (options.hypervisor ? kHypervisorBit : 0);
        guest.edx = host.edx & kLeaf1Edx;
        break;
    case 2: break; // cache and TLB descriptors
    case 4: guest.eax = host.eax & kCacheTopology; break;
    case 7:
        guest.eax = 0;
        guest.ebx = (host.ebx & kLeaf7Ebx) | kTscAdjust;
        guest.ecx = 0;
        guest.edx = (host.edx & kLeaf7Edx) | (intel && options.arch_capabilities != 0 ? kLeaf7EdxSpeculation : 0);
        break;
    case kExtendedBase: guest.eax = std::min(host.eax, kMaxExtendedLeaf); break;
    case 0x8000'0001:
        guest.ecx = host.ecx & kExtendedEcx;
        guest.edx = host.edx & (kExtendedEdx | (intel ? 0 : kExtendedEdxCopies));
        break;
    case 0x8000'0007: guest = {.leaf = host.leaf, .edx = host.edx & kInvariantTsc}; break;
    case 0x8000'0008:
        guest = {.leaf = host.leaf, .eax = std::min(host.eax & 0xFFU, kMaxPhysicalBits) | kLinearBits};
        break;
    default: break; // brand string, AMD's cache descriptions
    }
    return guest;
}

} // namespace

std::span<const CpuidLeaf> host_leaves_of_interest() { return kHostLeaves; }

void CpuidModel::add(const CpuidLeaf& leaf) {
    if (count_ < leaves_.size()) {
        leaves_[count_++] = leaf;
    }
}

CpuidModel CpuidModel::build(std::span<const CpuidLeaf> host, CpuidOptions options) {
    CpuidModel model;
    for (const CpuidLeaf& leaf : host) {
        model.intel_ = model.intel_ || (leaf.leaf == 0 && leaf.ebx == kIntelEbx);
    }
    for (const CpuidLeaf& leaf : host) {
        const auto wanted = [&](const CpuidLeaf& one) { return one.leaf == leaf.leaf && one.subleaf == leaf.subleaf; };
        if (std::ranges::any_of(kHostLeaves, wanted)) {
            model.add(virtualize(leaf, model.intel_, options));
        }
    }
    model.arch_capabilities_ = model.intel_ ? options.arch_capabilities : 0;
    if (options.hypervisor) {
        model.add({kHypervisorLeaf, 0, kHypervisorLeaf, kSignatureEbx, kSignatureEcx, kSignatureEdx});
    }
    return model;
}

const CpuidLeaf* CpuidModel::find(std::uint32_t leaf, std::uint32_t subleaf) const {
    for (std::size_t i = 0; i < count_; ++i) {
        if (leaves_[i].leaf == leaf && leaves_[i].subleaf == subleaf) {
            return &leaves_[i];
        }
    }
    return nullptr;
}

CpuidLeaf CpuidModel::query(std::uint32_t leaf, std::uint32_t subleaf) const {
    constexpr std::uint32_t kCacheLeaf = 4;
    constexpr std::uint32_t kFeatureLeaf = 7;
    const CpuidLeaf* range = find(leaf & 0xFFFF'0000U, 0);
    if (range == nullptr || leaf > range->eax) {
        const CpuidLeaf* basic = find(0, 0);
        leaf = intel_ && basic != nullptr ? basic->eax : leaf;
        range = intel_ ? basic : nullptr;
    }
    if (range == nullptr) {
        return {leaf, subleaf, 0, 0, 0, 0};
    }
    const bool indexed = leaf == kCacheLeaf || leaf == kFeatureLeaf;
    const CpuidLeaf* found = find(leaf, indexed ? subleaf : 0);
    return found != nullptr ? *found : CpuidLeaf{leaf, subleaf, 0, 0, 0, 0};
}

bool CpuidModel::has_no_execute() const {
    const CpuidLeaf* extended = find(kExtendedBase + 1U, 0);
    return extended != nullptr && (extended->edx & kExtendedEdx) != 0;
}

} // namespace ringone::vmm
