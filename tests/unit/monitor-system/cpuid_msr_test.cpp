// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "tests/unit/monitor-system/machine.hpp"

#include "vmm/monitor/system/msr.hpp"

namespace ringone::vmm {
namespace {

constexpr std::uint32_t kAll = 0xFFFF'FFFF;

/// A host with every feature bit there could be.
CpuidModel model(bool intel, CpuidOptions options = {}) {
    std::vector<CpuidLeaf> host;
    for (CpuidLeaf leaf : host_leaves_of_interest()) {
        leaf.eax = leaf.ebx = leaf.ecx = leaf.edx = kAll;
        host.push_back(leaf);
    }
    host[0] = {0, 0, 0x20, intel ? 0x756E'6547U : 0x6874'7541U, intel ? 0x6C65'746EU : 0x444D'4163U,
               intel ? 0x4965'6E69U : 0x6974'6E65U};
    for (CpuidLeaf& leaf : host)
        if (leaf.leaf == 0x8000'0000) leaf.eax = 0x8000'0021;
    return CpuidModel::build(host, options);
}

bool bit(std::uint32_t word, unsigned position) { return (word >> position & 1U) != 0; }

TEST(Cpuid, FeaturesAreThoseOfThePlatform) {
    const CpuidLeaf one = model(true).query(1, 0);
    for (const unsigned there : {0, 2, 3, 4, 5, 6, 8, 11, 13, 15, 16, 17, 19, 23, 24, 25, 26}) { EXPECT_TRUE(bit(one.edx, there)) << there; }
    EXPECT_FALSE(bit(one.edx, 1)) << "VME: CR4.VME is reserved";
    EXPECT_FALSE(bit(one.edx, 7)) << "MCE";
    EXPECT_FALSE(bit(one.edx, 9)) << "APIC";
    EXPECT_FALSE(bit(one.edx, 12)) << "MTRR";
    EXPECT_FALSE(bit(one.edx, 14)) << "MCA";
    EXPECT_FALSE(bit(one.edx, 28)) << "HTT";
    EXPECT_FALSE(bit(one.ecx, 3)) << "MONITOR";
    EXPECT_FALSE(bit(one.ecx, 5)) << "VMX";
    EXPECT_FALSE(bit(one.ecx, 12)) << "FMA";
    EXPECT_FALSE(bit(one.ecx, 17)) << "PCID";
    EXPECT_FALSE(bit(one.ecx, 21)) << "x2APIC";
    EXPECT_FALSE(bit(one.ecx, 26)) << "XSAVE";
    EXPECT_FALSE(bit(one.ecx, 27)) << "OSXSAVE";
    EXPECT_FALSE(bit(one.ecx, 28)) << "AVX";
    EXPECT_FALSE(bit(one.ecx, 30)) << "RDRAND";
    EXPECT_FALSE(bit(one.ecx, 31)) << "a hypervisor is announced only when asked for";
    EXPECT_EQ(one.ebx >> 16U, 1U) << "one thread, APIC id 0";
}

TEST(Cpuid, ExtendedFeaturesByVendor) {
    for (const bool intel : {true, false}) {
        const CpuidModel cpu = model(intel);
        const CpuidLeaf extended = cpu.query(0x8000'0001, 0);
        EXPECT_TRUE(bit(extended.edx, 20)) << "NX";
        EXPECT_TRUE(cpu.has_no_execute());
        EXPECT_EQ(bit(extended.edx, 0), !intel) << "copies of leaf 1 on AMD";
        EXPECT_FALSE(bit(extended.edx, 11)) << "SYSCALL";
        EXPECT_FALSE(bit(extended.edx, 27)) << "RDTSCP";
        EXPECT_FALSE(bit(extended.edx, 29)) << "long mode";
        EXPECT_FALSE(bit(extended.ecx, 2)) << "SVM";
        EXPECT_FALSE(bit(extended.ecx, 22)) << "topology extensions: leaf 8000001E is not there";
        EXPECT_EQ(cpu.query(0x8000'0008, 0).eax, 0x2024U) << "36 bits physical, 32 linear";
        EXPECT_EQ(cpu.query(0x8000'0008, 0).ecx, 0U) << "one core";
        EXPECT_EQ(cpu.query(0x8000'0007, 0).edx, 0x100U) << "invariant TSC and nothing else";
        EXPECT_EQ(cpu.intel(), intel);
    }
}

TEST(Cpuid, LeavesOutOfRange) {
    const CpuidModel intel = model(true), amd = model(false);
    EXPECT_EQ(intel.query(0, 0).eax, 7U);
    EXPECT_EQ(intel.query(0x8000'0000, 0).eax, 0x8000'0008U);
    EXPECT_EQ(intel.query(0xD, 0).edx, intel.query(7, 0).edx) << "Intel answers with the highest basic leaf";
    EXPECT_EQ(intel.query(0x4000'0000, 0).ebx, intel.query(7, 0).ebx);
    EXPECT_EQ(amd.query(0xD, 0).edx, 0U);
    EXPECT_EQ(amd.query(0x8000'001E, 0).ebx, 0U);
    EXPECT_EQ(intel.query(7, 1).ebx, 0U) << "no such subleaf";
    EXPECT_EQ(intel.query(1, 5).edx, intel.query(1, 0).edx) << "leaf 1 has no subleaves";
    EXPECT_EQ(CpuidModel{}.query(1, 0).edx, 0U);
}

TEST(Cpuid, HypervisorLeaf) {
    const CpuidModel cpu = model(false, {.hypervisor = true});
    EXPECT_TRUE(bit(cpu.query(1, 0).ecx, 31));
    const CpuidLeaf leaf = cpu.query(0x4000'0000, 0);
    EXPECT_EQ(leaf.eax, 0x4000'0000U);
    char name[13] = {};
    const std::uint32_t words[] = {leaf.ebx, leaf.ecx, leaf.edx};
    std::memcpy(name, words, sizeof words);
    EXPECT_STREQ(name, "RingOneRing1");
}

struct Msr : Machine {
    Outcome read(std::uint32_t index) {
        vcpu.gpr[kEcx] = index;
        return run({0x0F, 0x32});
    }
    Outcome write(std::uint32_t index, std::uint64_t value) {
        vcpu.gpr[kEcx] = index;
        vcpu.gpr[kEax] = static_cast<std::uint32_t>(value);
        vcpu.gpr[kEdx] = static_cast<std::uint32_t>(value >> 32U);
        return run({0x0F, 0x30});
    }
    std::uint64_t result() const { return vcpu.gpr[kEax] | std::uint64_t{vcpu.gpr[kEdx]} << 32U; }
};

TEST_F(Msr, UnknownOnesFault) {
    hooks.model = model(true);
    // APIC base, feature control, MTRR capabilities, machine checks, TSX, debug control, STAR, FS base, AMD's HWCR.
    for (const std::uint32_t index : {0x1BU, 0x3AU, 0xFEU, 0x179U, 0x122U, 0x1D9U, 0xC000'0081U, 0xC000'0100U, 0xC001'0015U, kAll}) {
        const VCpu before = vcpu;
        EXPECT_EQ(read(index), gp()) << std::hex << index;
        EXPECT_EQ(vcpu.eip, before.eip);
        EXPECT_EQ(write(index, 0), gp()) << std::hex << index;
    }
}

TEST_F(Msr, LevelThreeFaults) {
    hooks.model = model(true);
    enter(3);
    EXPECT_EQ(read(0x10), gp());
    EXPECT_EQ(write(0x174, 0), gp());
}

TEST_F(Msr, WhatLinuxReadsOnAnIntelCpu) {
    hooks.model = model(true);
    // "unchecked MSR access error: RDMSR from 0x17" (collect_cpu_info) was in every boot on an Intel host.
    EXPECT_EQ(read(0x17), kNext);
    EXPECT_EQ(result(), 0U);
    EXPECT_EQ(write(0x17, 0), gp()) << "read-only";
    EXPECT_EQ(write(0x8B, 0), kNext);
    EXPECT_EQ(read(0x8B), kNext);
    EXPECT_EQ(result(), 0U);
    EXPECT_EQ(read(0x1A0), kNext);
    EXPECT_EQ(result() & 1U, 1U) << "fast strings";
    EXPECT_EQ(result() >> 34U & 1U, 0U) << "XD is not disabled";
    EXPECT_EQ(write(0x1A0, result()), kNext);
    EXPECT_EQ(write(0x1A0, 0), gp());
    hooks.model = model(false);
    EXPECT_EQ(read(0x17), gp());
    EXPECT_EQ(read(0x1A0), gp());
    EXPECT_EQ(read(0x8B), kNext) << "AMD's patch level";
}

TEST_F(Msr, SpeculationControlsFollowCpuid) {
    hooks.model = model(true);
    EXPECT_FALSE(bit(hooks.model.query(7, 0).edx, 26) || bit(hooks.model.query(7, 0).edx, 29));
    for (const std::uint32_t index : {0x48U, 0x49U, 0x10AU}) { EXPECT_EQ(write(index, 0), gp()); }
    EXPECT_EQ(read(0x48), gp());
    EXPECT_EQ(read(0x10A), gp());

    hooks.model = model(true, {.hypervisor = false, .arch_capabilities = arch_capability::kRdclNo});
    EXPECT_TRUE(bit(hooks.model.query(7, 0).edx, 26) && bit(hooks.model.query(7, 0).edx, 29));
    EXPECT_EQ(read(0x10A), kNext);
    EXPECT_EQ(result(), arch_capability::kRdclNo);
    EXPECT_EQ(write(0x10A, 0), gp());
    EXPECT_EQ(write(0x48, 1), kNext);
    EXPECT_EQ(read(0x48), kNext);
    EXPECT_EQ(result(), 1U);
    EXPECT_EQ(write(0x48, 4), gp()) << "SSBD is not announced";
    EXPECT_EQ(write(0x49, 1), kNext);
    EXPECT_EQ(read(0x49), gp()) << "write-only";
}

TEST_F(Msr, EferHasNxOnlyWhereCpuidHas) {
    EXPECT_EQ(read(0xC000'0080), gp());
    hooks.model = model(true);
    EXPECT_EQ(write(0xC000'0080, 0x800), kNext);
    ASSERT_EQ(hooks.changes.size(), 1U);
    EXPECT_TRUE(hooks.changes[0].flush_global);
    EXPECT_EQ(read(0xC000'0080), kNext);
    EXPECT_EQ(result(), 0x800U);
    EXPECT_EQ(write(0xC000'0080, 0x801), gp()) << "SCE";
    EXPECT_EQ(write(0xC000'0080, 0x900), gp()) << "LME";
}

TEST_F(Msr, Pat) {
    EXPECT_EQ(read(0x277), kNext);
    EXPECT_EQ(result(), 0x0007'0406'0007'0406U);
    EXPECT_EQ(write(0x277, 0x0407'0506'0007'0106U), kNext) << "Linux's";
    EXPECT_EQ(write(0x277, 0x02), gp());
    EXPECT_EQ(write(0x277, 0x03ULL << 56U), gp());
    EXPECT_EQ(write(0x277, 0x08), gp());
    EXPECT_EQ(vcpu.pat, 0x0407'0506'0007'0106U);
}

TEST_F(Msr, TheTimeStampCounterCanBeSet) {
    EXPECT_EQ(write(0x10, 1000), kNext);
    hooks.tsc += 234;
    EXPECT_EQ(run({0x0F, 0x31}), kNext);
    EXPECT_EQ(result(), 1234U);
    enter(3);
    EXPECT_EQ(run({0x0F, 0x31}), kNext);
    vcpu.cr4 |= cr4::kTsd;
    EXPECT_EQ(run({0x0F, 0x31}), gp());
}

TEST_F(Msr, TscAdjustIsWhatTheCounterIsAheadBy) {
    EXPECT_TRUE(bit(model(true).query(7, 0).ebx, 1)) << "announced";
    EXPECT_EQ(read(0x3B), kNext);
    EXPECT_EQ(result(), 0U);
    EXPECT_EQ(write(0x3B, 5000), kNext);
    EXPECT_EQ(run({0x0F, 0x31}), kNext);
    EXPECT_EQ(result(), hooks.tsc + 5000);
    EXPECT_EQ(write(0x10, hooks.tsc + 7), kNext);
    EXPECT_EQ(read(0x3B), kNext);
    EXPECT_EQ(result(), 7U);
}

TEST_F(Msr, CpuidInstruction) {
    hooks.model = model(true);
    enter(3);
    vcpu.gpr[kEax] = 0;
    EXPECT_EQ(run({0x0F, 0xA2}), kNext);
    EXPECT_EQ(vcpu.gpr[kEbx], 0x756E'6547U);
}

} // namespace
} // namespace ringone::vmm
