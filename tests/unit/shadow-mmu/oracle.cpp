// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "tests/unit/shadow-mmu/oracle.hpp"

namespace ringone::mmu::test {
namespace {

bool bit(std::uint64_t value, unsigned number) { return (value >> number & 1) != 0; }

/// The two entries of a walk, as far as it got.
struct Steps {
    bool present = false;
    bool reserved = false;
    bool large = false;
    std::uint64_t directory_at = 0, directory = 0;
    std::uint64_t table_at = 0, table = 0;
};

bool paging(const Machine& m) { return bit(m.cr0, 31); }
bool pae(const Machine& m) { return bit(m.cr4, 5); }
bool nxe(const Machine& m) { return bit(m.efer, 11); }

std::uint64_t read_entry(const FakeMemory& memory, const Machine& m, std::uint64_t at) {
    return pae(m) ? memory.read64({at}) : memory.read32({at});
}

/// Is a bit set that must be clear in an entry that is present? Section 4.3 and 4.4.2.
bool any_reserved(const Machine& m, std::uint64_t value, bool directory, bool large) {
    if (pae(m)) {
        for (unsigned i = m.features.physical_bits; i < 63; ++i) {
            if (bit(value, i)) return true;
        }
        if (!nxe(m) && bit(value, 63)) return true;
        if (large) {
            for (unsigned i = 13; i <= 20; ++i) {
                if (bit(value, i)) return true;
            }
            if (!m.features.pat && bit(value, 12)) return true;
        }
        if (!directory && !m.features.pat && bit(value, 7)) return true;
        return false;
    }
    const bool pse = bit(m.cr4, 4);
    if (!pse) return false;
    if (large) {
        if (!m.features.pat && bit(value, 12)) return true;
        if (bit(value, 21)) return true; // address bit 40, which PSE-36 never has
        for (unsigned i = 13; i <= 20; ++i) { // bit 13 is address bit 32, bit 20 is address bit 39
            const bool used = m.features.pse36 && i - 13 + 32 < m.features.physical_bits;
            if (!used && bit(value, i)) return true;
        }
    }
    return !directory && !m.features.pat && bit(value, 7);
}

Steps take_steps(const FakeMemory& memory, const Machine& m, std::uint32_t linear) {
    Steps s;
    s.directory_at = oracle_directory_entry_at(m, linear);
    if (s.directory_at == 0) return s;
    s.directory = read_entry(memory, m, s.directory_at);
    if (!bit(s.directory, 0)) return s;
    s.large = bit(s.directory, 7) && (pae(m) || bit(m.cr4, 4));
    if (any_reserved(m, s.directory, true, s.large)) {
        s.present = s.reserved = true;
        return s;
    }
    if (s.large) {
        s.present = true;
        return s;
    }
    const std::uint64_t index = pae(m) ? linear >> 12 & 0x1FF : linear >> 12 & 0x3FF;
    s.table_at = (s.directory & 0xF'FFFF'FFFF'F000) + index * (pae(m) ? 8 : 4);
    s.table = read_entry(memory, m, s.table_at);
    s.present = bit(s.table, 0);
    s.reserved = s.present && any_reserved(m, s.table, false, false);
    return s;
}

OraclePage page_of(const Machine& m, const Steps& s, std::uint32_t linear) {
    OraclePage p;
    if (!s.present || s.reserved) return p;
    p.valid = true;
    p.large = s.large;
    const std::uint64_t last = s.large ? s.directory : s.table;
    p.writable = bit(s.directory, 1) && bit(last, 1);
    p.user = bit(s.directory, 2) && bit(last, 2);
    p.executable = !(pae(m) && nxe(m) && (bit(s.directory, 63) || bit(last, 63)));
    p.accessed = bit(s.directory, 5) && bit(last, 5);
    p.dirty = bit(last, 6);
    p.global = bit(last, 8);
    if (!s.large) {
        p.physical = s.table & 0xF'FFFF'FFFF'F000;
    } else if (pae(m)) {
        p.physical = (s.directory & 0xF'FFFF'FFE0'0000) + (linear & 0x1F'F000);
    } else {
        p.physical = (s.directory & 0xFFC0'0000) + (linear & 0x3F'F000);
        for (unsigned i = 13; i <= 20; ++i) {
            if (bit(s.directory, i)) p.physical += 1ULL << (i - 13 + 32);
        }
    }
    return p;
}

OraclePage unpaged(std::uint32_t linear) {
    return {.valid = true, .physical = linear & 0xFFFF'F000, .writable = true, .user = true, .executable = true,
            .global = false, .accessed = true, .dirty = true, .large = true};
}

/// Section 4.6.1, "Determination of Access Rights".
bool permitted(const Machine& m, const OraclePage& p, Access a) {
    const bool wp = bit(m.cr0, 16);
    const bool smep = bit(m.cr4, 20);
    const bool smap = bit(m.cr4, 21);
    if (a.user) {
        if (!p.user) return false;
        if (a.type == AccessType::write) return p.writable;
        if (a.type == AccessType::fetch) return p.executable;
        return true;
    }
    const bool smap_blocks = p.user && smap && !a.smap_override;
    if (a.type == AccessType::read) return !smap_blocks;
    if (a.type == AccessType::write) return (p.writable || !wp) && !smap_blocks;
    return p.executable && !(p.user && smep);
}

} // namespace

std::uint64_t oracle_directory_entry_at(const Machine& m, std::uint32_t linear) {
    if (!pae(m)) return (m.cr3 & 0xFFFF'F000) + (linear >> 22) * 4;
    const std::uint64_t pdpte = m.pdpte[linear >> 30];
    if (!bit(pdpte, 0)) return 0;
    return (pdpte & 0xF'FFFF'FFFF'F000) + (linear >> 21 & 0x1FF) * 8;
}

OraclePage oracle_page(const FakeMemory& memory, const Machine& m, std::uint32_t linear) {
    return paging(m) ? page_of(m, take_steps(memory, m, linear), linear) : unpaged(linear);
}

OracleResult oracle_access(const FakeMemory& memory, const Machine& m, std::uint32_t linear, Access access) {
    OracleResult r;
    if (!paging(m)) {
        r.page = unpaged(linear);
        return r;
    }
    const Steps s = take_steps(memory, m, linear);
    const OraclePage before = page_of(m, s, linear);
    if (!s.present || s.reserved || !permitted(m, before, access)) {
        r.fault = true;
        // Section 4.7.
        if (s.present) r.code |= 1;
        if (access.type == AccessType::write) r.code |= 2;
        if (access.user) r.code |= 4;
        if (s.reserved) r.code |= 8;
        const bool id_defined = (pae(m) && nxe(m)) || bit(m.cr4, 20);
        if (access.type == AccessType::fetch && id_defined) r.code |= 16;
        return r;
    }
    // Section 4.8: A in each entry used, D in the one that maps the page.
    Steps after = s;
    std::uint64_t& last = s.large ? after.directory : after.table;
    after.directory |= 1U << 5;
    last |= 1U << 5;
    if (access.type == AccessType::write) last |= 1U << 6;
    if (after.directory != s.directory) r.writes.push_back({s.directory_at, after.directory});
    if (!s.large && after.table != s.table) r.writes.push_back({s.table_at, after.table});
    r.page = page_of(m, after, linear);
    return r;
}

} // namespace ringone::mmu::test
