// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
//
// Walks against the oracle: every combination of the bits that count.
#include "shadow-mmu/guest_walk.hpp"
#include "tests/unit/shadow-mmu/fake_memory.hpp"
#include "tests/unit/shadow-mmu/oracle.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <sstream>
#include <string>
#include <vector>

namespace ringone::mmu::test {
namespace {

constexpr std::uint32_t kRoot = 0x1000;      // PDPT in PAE mode
constexpr std::uint32_t kDirectory = 0x2000; // PAE; the root otherwise
constexpr std::uint32_t kTable = 0x3000;
constexpr std::uint32_t kLowPages = 16;
constexpr std::uint32_t kHighPages = 2;

std::vector<Access> all_accesses(bool smap) {
    std::vector<Access> all;
    for (const AccessType type : {AccessType::read, AccessType::write, AccessType::fetch}) {
        for (const bool user : {false, true}) all.push_back({type, user, false});
        if (smap) all.push_back({type, false, true});
    }
    return all;
}

std::string describe(const Machine& m, std::uint64_t pde, std::uint64_t pte, Access a) {
    std::ostringstream text;
    text << std::hex << "cr0 " << m.cr0 << " cr4 " << m.cr4 << " efer " << m.efer << " pde " << pde << " pte " << pte
         << " type " << static_cast<int>(a.type) << " user " << a.user << " override " << a.smap_override << " bits "
         << std::dec << m.features.physical_bits << " pse36 " << m.features.pse36 << " pat " << m.features.pat;
    return text.str();
}

class WalkTest : public testing::Test {
protected:
    void use(const Machine& machine) {
        m_ = machine;
        const bool pae = (m_.cr4 & cr4::kPae) != 0;
        m_.cr3 = pae ? kRoot : kDirectory;
        for (std::uint64_t& pdpte : m_.pdpte) pdpte = kDirectory | 1;
        const Pdptes four{m_.pdpte[0], m_.pdpte[1], m_.pdpte[2], m_.pdpte[3]};
        context_ = PagingContext({m_.cr0, m_.cr3, m_.cr4, m_.efer}, m_.features, four);
        wide_ = pae;
    }

    /// Walks all accesses under one pair of entries. False after a mismatch.
    [[nodiscard]] bool check(std::uint32_t linear, std::uint64_t pde, std::uint64_t pte,
                             const std::vector<Access>& accesses) {
        const std::uint64_t pde_at = oracle_directory_entry_at(m_, linear);
        const std::uint64_t pte_at = kTable + (linear >> 12 & (wide_ ? 0x1FFU : 0x3FFU)) * (wide_ ? 8 : 4);
        memory_.write_entry(pde_at, pde, wide_);
        memory_.write_entry(pte_at, pte, wide_);
        for (const Access access : accesses) {
            const OracleResult expected = oracle_access(memory_, m_, linear, access);
            memory_.changes.clear();
            const Walk walked = walk(memory_, context_, {linear}, access);
            ++walks_;
            bool same = walked.faulted == expected.fault && walked.error_code == expected.code &&
                        memory_.changes.size() == expected.writes.size();
            for (const OracleWrite& write : expected.writes) {
                same = same && (wide_ ? memory_.read64({write.at}) : memory_.read32({write.at})) == write.value;
            }
            if (same && !expected.fault) {
                const Translation& t = walked.translation;
                const OraclePage& p = expected.page;
                const std::uint64_t physical = p.physical | (linear & (kPageBytes - 1));
                same = walked.physical({linear}).address == physical && t.write == p.writable && t.user == p.user &&
                       t.execute == p.executable && t.global == p.global && t.accessed == p.accessed &&
                       t.dirty == p.dirty && t.large == p.large;
                faultless_ += same ? 1 : 0;
            }
            if (!same) {
                ADD_FAILURE() << describe(m_, pde, pte, access) << std::hex << " linear " << linear << " expected fault "
                              << expected.fault << " code " << expected.code << " got " << walked.faulted << ' '
                              << walked.error_code << " physical " << walked.physical({linear}).address << " changes "
                              << memory_.changes.size();
                return false;
            }
            memory_.write_entry(pde_at, pde, wide_);
            memory_.write_entry(pte_at, pte, wide_);
        }
        return true;
    }

    FakeMemory memory_{kLowPages, kHighPages};
    Machine m_;
    PagingContext context_;
    bool wide_ = false;
    std::uint64_t walks_ = 0;
    std::uint64_t faultless_ = 0;
};

/// The bits of `number`, bit i standing for bits[i].
std::uint64_t spread(std::uint32_t number, const std::vector<std::uint64_t>& bits) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < bits.size(); ++i) {
        if ((number >> i & 1U) != 0) value |= bits[i];
    }
    return value;
}

/// All of P, RW, US, A, D, PS, G, NX and a reserved bit in both entries, under all of WP, PSE, PAE, PGE and NXE.
TEST_F(WalkTest, EveryCombinationOfEntryAndControlBits) {
    constexpr std::uint32_t kLinear = 0x0040'5123;
    constexpr std::uint64_t kReservedWide = 1ULL << 40; // 36 address bits
    constexpr std::uint64_t kReservedLarge = 1ULL << 20;
    const std::vector<Access> accesses = all_accesses(false);
    const std::vector<std::uint64_t> narrow{1, 2, 4, 1U << 5, 1U << 6, 1U << 7, 1U << 8, kReservedLarge};
    const std::vector<std::uint64_t> wide{1, 2, 4, 1U << 5, 1U << 6, 1U << 7, 1U << 8, kReservedWide, 1ULL << 63};
    for (std::uint32_t control = 0; control < 32; ++control) {
        Machine machine;
        machine.cr0 = cr0::kPg | ((control & 1) != 0 ? cr0::kWp : 0);
        machine.cr4 = ((control & 2) != 0 ? cr4::kPse : 0) | ((control & 4) != 0 ? cr4::kPae : 0) |
                      ((control & 8) != 0 ? cr4::kPge : 0);
        machine.efer = (control & 16) != 0 ? efer::kNxe : 0;
        use(machine);
        const std::vector<std::uint64_t>& bits = wide_ ? wide : narrow;
        const std::uint32_t combinations = 1U << bits.size();
        for (std::uint32_t i = 0; i < combinations; ++i) {
            const std::uint64_t pde = spread(i, bits) | kTable;
            for (std::uint32_t j = 0; j < combinations; ++j) {
                ASSERT_TRUE(check(kLinear, pde, spread(j, bits) | 0x9000, accesses));
            }
        }
    }
    RecordProperty("walks", std::to_string(walks_));
    EXPECT_GT(walks_, 25'000'000U);
    EXPECT_GT(faultless_, walks_ / 100);
}

/// SMEP and SMAP with and without EFLAGS.AC, over the bits that they look at.
TEST_F(WalkTest, SupervisorModeProtection) {
    const std::vector<Access> accesses = all_accesses(true);
    const std::vector<std::uint64_t> bits{1, 2, 4, 1U << 7, 1ULL << 63};
    for (std::uint32_t control = 0; control < 64; ++control) {
        Machine machine;
        machine.cr0 = cr0::kPg | ((control & 1) != 0 ? cr0::kWp : 0);
        machine.cr4 = ((control & 2) != 0 ? cr4::kPse : 0) | ((control & 4) != 0 ? cr4::kPae : 0) |
                      ((control & 8) != 0 ? cr4::kSmep : 0) | ((control & 16) != 0 ? cr4::kSmap : 0);
        machine.efer = (control & 32) != 0 ? efer::kNxe : 0;
        use(machine);
        for (std::uint32_t i = 0; i < 32; ++i) {
            for (std::uint32_t j = 0; j < 32; ++j) {
                ASSERT_TRUE(check(0x0040'5123, spread(i, bits) | kTable, spread(j, bits) | 0x9000, accesses));
            }
        }
    }
}

/// Every single bit of either entry, for CPUs of several address widths, with and without PAT and PSE-36.
TEST_F(WalkTest, EverySingleBitUnderEveryFeatureSet) {
    const std::vector<Access> accesses = all_accesses(false);
    const std::vector<std::uint32_t> widths{32, 36, 39, 40, 41, 52};
    for (const std::uint32_t physical_bits : widths) {
        for (std::uint32_t feature = 0; feature < 4; ++feature) {
            for (std::uint32_t control = 0; control < 8; ++control) {
                Machine machine;
                machine.features = {physical_bits, (feature & 1) != 0, (feature & 2) != 0};
                machine.cr0 = cr0::kPg | cr0::kWp;
                machine.cr4 = ((control & 1) != 0 ? cr4::kPse : 0) | ((control & 2) != 0 ? cr4::kPae : 0);
                machine.efer = (control & 4) != 0 ? efer::kNxe : 0;
                use(machine);
                for (std::uint32_t bit = 1; bit < (wide_ ? 64U : 32U); ++bit) {
                    const std::uint64_t one = 1ULL << bit;
                    for (const std::uint64_t large : {0ULL, 0x80ULL}) {
                        const std::uint64_t pde = 0x7 | large | (large != 0 ? 0 : kTable);
                        ASSERT_TRUE(check(0xC123'4567, pde | one, 0x9007, accesses));
                        ASSERT_TRUE(check(0xC123'4567, pde, 0x9007 | one, accesses));
                    }
                }
            }
        }
    }
}

/// Each index of directory and table, at both ends of the page.
TEST_F(WalkTest, EveryPartOfTheLinearAddress) {
    for (const std::uint32_t modes : {std::uint32_t{cr4::kPse}, std::uint32_t{cr4::kPae}}) {
        Machine machine;
        machine.cr0 = cr0::kPg;
        machine.cr4 = modes;
        use(machine);
        for (std::uint32_t page = 0; page < kLinearPages; page += 1021) { // a prime: all low indexes come up
            const std::uint32_t linear = page << kPageShift | (page & 0xFFF);
            ASSERT_TRUE(check(linear, kTable | 7, (std::uint64_t{page} << kPageShift & 0xFFFF'F000) | 7, all_accesses(false)));
            ASSERT_TRUE(check(linear, 0xFFE0'0000U << (wide_ ? 0 : 1) | 0x87, 0, all_accesses(false)));
        }
    }
}

TEST_F(WalkTest, Pse36PutsPagesAbove4GiB) {
    Machine machine;
    machine.cr0 = cr0::kPg;
    machine.cr4 = cr4::kPse;
    use(machine);
    memory_.write32(kDirectory + 4, 1U << 13 | 0x00C0'0087);
    const Walk walked = walk(memory_, context_, {0x0067'8123}, {.type = AccessType::read, .user = true});
    ASSERT_FALSE(walked.faulted);
    EXPECT_EQ(walked.physical({0x0067'8123}).address, 0x1'00E7'8123U);
}

TEST_F(WalkTest, PagingOffIsTheIdentity) {
    use({});
    for (const std::uint32_t linear : {0U, 0x1234'5678U, 0xFFFF'FFFFU}) {
        for (const Access access : all_accesses(true)) {
            const Walk walked = walk(memory_, context_, {linear}, access);
            EXPECT_FALSE(walked.faulted);
            EXPECT_EQ(walked.physical({linear}).address, linear);
        }
    }
    EXPECT_TRUE(memory_.changes.empty());
}

TEST_F(WalkTest, AbsentPdptesFault) {
    Machine machine;
    machine.cr0 = cr0::kPg;
    machine.cr4 = cr4::kPae;
    use(machine);
    context_.pdptes[2] = 0;
    const Walk walked = walk(memory_, context_, {0x8000'0000}, {.type = AccessType::write, .user = true});
    EXPECT_TRUE(walked.faulted);
    EXPECT_EQ(walked.error_code, fault_code::kWrite | fault_code::kUser);
}

/// A directory that maps itself: one word is both entries of the walk.
TEST_F(WalkTest, SelfMappedDirectory) {
    Machine machine;
    machine.cr0 = cr0::kPg;
    use(machine);
    const std::uint64_t at = kDirectory + 1023 * 4;
    memory_.write32(at, kDirectory | 3);
    memory_.changes.clear();
    const Walk walked = walk(memory_, context_, {0xFFFF'F000}, {.type = AccessType::write, .user = false});
    EXPECT_FALSE(walked.faulted);
    EXPECT_EQ(walked.translation.page.address, kDirectory);
    EXPECT_EQ(memory_.read32({at}), kDirectory | 0x63U);
}

/// Another agent changes the entry between our read and our write of it.
TEST_F(WalkTest, LostRaceStartsAgain) {
    Machine machine;
    machine.cr0 = cr0::kPg;
    use(machine);
    memory_.write32(kDirectory, kTable | 0x23);
    memory_.write32(kTable, 0x9003);
    memory_.race = 0x4000;
    const Walk walked = walk(memory_, context_, {0}, {.type = AccessType::read, .user = false});
    EXPECT_FALSE(walked.faulted);
    EXPECT_EQ(walked.translation.page.address, 0xD000U);
    EXPECT_EQ(memory_.read32({kTable}), 0xD023U);
}

/// Tables outside RAM read as ones; setting their bits does nothing, and the walk ends.
TEST_F(WalkTest, TablesOutsideRam) {
    Machine machine;
    machine.cr0 = cr0::kPg;
    use(machine);
    memory_.write32(kDirectory, 0x4000'0003);
    const Walk walked = walk(memory_, context_, {0x1000}, {.type = AccessType::write, .user = false});
    EXPECT_FALSE(walked.faulted);
    EXPECT_EQ(walked.translation.page.address, 0xFFFF'F000U);
}

} // namespace
} // namespace ringone::mmu::test
