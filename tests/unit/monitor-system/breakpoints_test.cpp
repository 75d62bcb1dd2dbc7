// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
//
// What meets a breakpoint by its address, length and kind, and which accesses instructions make: here all memory
// accesses of an instruction come by the fake memory. What only the whole machine shows is in tests/guests/breakpoints.asm.
#include "tests/unit/monitor-emulate/fake_runner.hpp"
#include "tests/unit/monitor-system/machine.hpp"
#include "vmm/monitor/breakpoints.hpp"
#include "vmm/monitor/emulate/emulate.hpp"
#include "vmm/monitor/physical_memory.hpp"

namespace ringone::vmm {
namespace {

enum Kind : std::uint32_t { kExecute = 0, kWrite = 1, kPort = 2, kReadWrite = 3 };
enum Length : std::uint32_t { k1 = 0, k2 = 1, k8 = 2, k4 = 3 };

void set(VCpu& vcpu, unsigned point, std::uint32_t address, Kind kind, Length length) {
    vcpu.dr[point] = address;
    const unsigned shift = 16 + 4 * point;
    vcpu.dr[7] &= ~(0xFU << shift);
    vcpu.dr[7] |= 2U << (2 * point) | (kind | length << 2U) << shift;
}

struct BreakpointRegisters : testing::Test {
    VCpu vcpu;
    Breakpoints breakpoints;

    /// DR6 bits of one access.
    std::uint32_t access(std::uint32_t linear, std::uint32_t bytes, AccessType type) {
        breakpoints.load(vcpu);
        breakpoints.forget_hits();
        breakpoints.access(linear, bytes, type);
        return breakpoints.hits();
    }
    std::uint32_t write(std::uint32_t linear, std::uint32_t bytes) { return access(linear, bytes, AccessType::write); }
    std::uint32_t read(std::uint32_t linear, std::uint32_t bytes) { return access(linear, bytes, AccessType::read); }
};

TEST_F(BreakpointRegisters, NothingIsArmedAfterReset) {
    EXPECT_FALSE(breakpoints.changed(vcpu));
    breakpoints.load(vcpu);
    EXPECT_EQ(write(0, 4), 0U);
    EXPECT_EQ(breakpoints.execution_at(0), 0U);
    EXPECT_FALSE(breakpoints.watches_memory());
}

TEST_F(BreakpointRegisters, EveryRegisterCountsAsAChange) {
    for (const unsigned index : {0U, 1U, 2U, 3U, 7U}) {
        vcpu.dr[index] ^= 1U;
        EXPECT_TRUE(breakpoints.changed(vcpu)) << index;
        breakpoints.load(vcpu);
        EXPECT_FALSE(breakpoints.changed(vcpu)) << index;
    }
    vcpu.cr4 |= cr4::kDe;
    EXPECT_TRUE(breakpoints.changed(vcpu));
    breakpoints.load(vcpu);
    vcpu.dr[6] = 1;
    EXPECT_FALSE(breakpoints.changed(vcpu));
}

TEST_F(BreakpointRegisters, LocalOrGlobalEnables) {
    for (unsigned bit = 0; bit < 8; ++bit) {
        set(vcpu, bit / 2, 0x1000, kWrite, k4);
        vcpu.dr[7] = (vcpu.dr[7] & ~0xFFU) | 1U << bit;
        EXPECT_EQ(write(0x1000, 4), 1U << (bit / 2)) << bit;
    }
    vcpu.dr[7] &= ~0xFFU;
    EXPECT_EQ(write(0x1000, 4), 0U);
}

TEST_F(BreakpointRegisters, Execution) {
    set(vcpu, 1, 0x1234, kExecute, k1);
    set(vcpu, 3, 0x1234, kExecute, k1);
    set(vcpu, 2, 0x1234, kWrite, k1);
    breakpoints.load(vcpu);
    EXPECT_EQ(breakpoints.execution_at(0x1234), 0xAU);
    EXPECT_EQ(breakpoints.execution_at(0x1235), 0U);
    EXPECT_EQ(breakpoints.execution_at(0x1233), 0U);
    EXPECT_EQ(read(0x1234, 1), 0U);
    EXPECT_EQ(write(0x1234, 1), 4U);
}

TEST_F(BreakpointRegisters, WritesOrBoth) {
    set(vcpu, 0, 0x2000, kWrite, k4);
    set(vcpu, 1, 0x2000, kReadWrite, k4);
    EXPECT_EQ(read(0x2000, 4), 2U);
    EXPECT_EQ(write(0x2000, 4), 3U);
    EXPECT_EQ(access(0x2000, 4, AccessType::fetch), 2U) << "reads, as the monitor makes them";
}

TEST_F(BreakpointRegisters, LengthsBeginAtTheirMultiples) {
    const std::pair<Length, std::uint32_t> lengths[] = {{k1, 1}, {k2, 2}, {k4, 4}, {k8, 8}};
    for (const auto& [length, bytes] : lengths)
        for (std::uint32_t offset = 0; offset < 8; ++offset) {
            set(vcpu, 0, 0x3000 + offset, kWrite, length);
            const std::uint32_t begin = 0x3000 + offset / bytes * bytes;
            for (std::uint32_t at = 0x2FF0; at < 0x3010; ++at)
                for (const std::uint32_t size : {1U, 2U, 4U, 16U}) {
                    const bool meets = at < begin + bytes && begin < at + size;
                    EXPECT_EQ(write(at, size), meets ? 1U : 0U) << bytes << " at " << offset << ": " << at << "/" << size;
                }
        }
}

TEST_F(BreakpointRegisters, AddressesWrap) {
    set(vcpu, 0, 0, kWrite, k1);
    set(vcpu, 1, 0xFFFF'FFFC, kWrite, k4);
    EXPECT_EQ(write(0xFFFF'FFFE, 4), 3U);
    EXPECT_EQ(write(0xFFFF'FFF8, 4), 0U);
    EXPECT_EQ(write(1, 4), 0U);
}

TEST_F(BreakpointRegisters, Ports) {
    set(vcpu, 0, 0x60, kPort, k2);
    const auto port = [this](std::uint16_t first, std::uint32_t bytes) {
        breakpoints.load(vcpu);
        breakpoints.forget_hits();
        breakpoints.port_access(first, bytes);
        return breakpoints.hits();
    };
    EXPECT_EQ(port(0x60, 1), 0U) << "undefined without CR4.DE: never";
    vcpu.cr4 |= cr4::kDe;
    EXPECT_EQ(port(0x60, 1), 1U);
    EXPECT_EQ(port(0x61, 1), 1U);
    EXPECT_EQ(port(0x62, 1), 0U);
    EXPECT_EQ(port(0x5E, 4), 1U);
    EXPECT_EQ(port(0x5E, 2), 0U);
    EXPECT_EQ(write(0x60, 1), 0U) << "memory at the same number";
}

TEST_F(BreakpointRegisters, WatchedPages) {
    set(vcpu, 0, 0x5FFF, kWrite, k1);
    set(vcpu, 2, 0x9000, kReadWrite, k4);
    set(vcpu, 3, 0xB000, kExecute, k1);
    breakpoints.load(vcpu);
    EXPECT_TRUE(breakpoints.watches(5, AccessType::write));
    EXPECT_FALSE(breakpoints.watches(5, AccessType::read));
    EXPECT_TRUE(breakpoints.watches(9, AccessType::read));
    EXPECT_FALSE(breakpoints.watches(0xB, AccessType::read));
    EXPECT_FALSE(breakpoints.watches(6, AccessType::write));
    EXPECT_EQ(breakpoints.next_watched_page(0, 0x100), 5U);
    EXPECT_EQ(breakpoints.next_watched_page(5, 0x100), 5U);
    EXPECT_EQ(breakpoints.next_watched_page(6, 0x100), 9U);
    EXPECT_EQ(breakpoints.next_watched_page(6, 9), 9U);
    EXPECT_EQ(breakpoints.next_watched_page(10, 0x100), 0x100U);
}

// ---- The mappings: what the hardware may do to each page.

/// Remembers the protection of each page.
class PageWorld final : public World {
public:
    std::map<std::uint32_t, std::pair<std::uint32_t, Protection>> pages; ///< linear page: RAM page, protection
    std::uint32_t refuse = 0xFFFF'FFFF;                                  ///< linear page that cannot be mapped

    bool map(std::uint32_t linear, std::uint32_t ram, std::uint32_t count, Protection p) override {
        for (std::uint32_t i = 0; i < count; ++i) {
            if (linear + i == refuse) return false;
            pages[linear + i] = {ram + i, p};
        }
        return true;
    }
    bool unmap(std::uint32_t linear, std::uint32_t count) override {
        for (std::uint32_t i = 0; i < count; ++i) pages.erase(linear + i);
        return true;
    }
    bool protect(std::uint32_t linear, std::uint32_t count, Protection p) override {
        for (std::uint32_t i = 0; i < count; ++i) pages.at(linear + i).second = p;
        return true;
    }
    std::uint32_t max_runs() const override { return 100; }
    const ZoneLayout& zone() const override { return zone_; }
    GuestContext& context() override { return context_; }
    void run() override {}
    std::uint16_t selector_for(const ShadowDescriptor&) override { return 0; }
    std::uint64_t selector_epoch() const override { return 1; }
    std::uint8_t* ram() override { return nullptr; }
    std::uint32_t ram_pages() const override { return 0; }
    void begin_host_call() override {}
    void end_host_call() override {}

private:
    ZoneLayout zone_{};
    GuestContext context_{};
};

TEST_F(BreakpointRegisters, WatchedPagesAreMappedWithLess) {
    PageWorld world;
    WorldMappings mappings(world, breakpoints);
    set(vcpu, 0, 0x12FFF, kWrite, k1);
    set(vcpu, 1, 0x13000, kReadWrite, k4);
    set(vcpu, 2, 0x1F000, kWrite, k4);
    breakpoints.load(vcpu);
    const mmu::LinearRun run{{0x10}, 16};
    EXPECT_TRUE(mappings.map({}, run, {0x100}, {.write = true}));
    ASSERT_EQ(world.pages.size(), 16U);
    for (const auto& [page, mapped] : world.pages) {
        EXPECT_EQ(mapped.first, page + 0xF0);
        const Protection wanted = page == 0x12 || page == 0x1F ? Protection::read
                                  : page == 0x13               ? Protection::none
                                                               : Protection::read_write;
        EXPECT_EQ(mapped.second, wanted) << page;
    }
    EXPECT_TRUE(mappings.protect({}, run, {.write = false}));
    EXPECT_EQ(world.pages.at(0x10).second, Protection::read);
    EXPECT_EQ(world.pages.at(0x13).second, Protection::none);
    EXPECT_TRUE(mappings.protect({}, run, {.write = true}));
    EXPECT_EQ(world.pages.at(0x12).second, Protection::read);
    EXPECT_EQ(world.pages.at(0x14).second, Protection::read_write);
    world.refuse = 0x15;
    EXPECT_FALSE(mappings.map({}, run, {0x100}, {.write = true}));
    EXPECT_TRUE(world.pages.empty()) << "all or nothing";
}

// ---- The accesses of instructions.

/// Tells the breakpoints what is accessed, as the monitor's memory does.
class WatchedMemory final : public LinearMemory {
public:
    WatchedMemory(FlatMemory& memory, Breakpoints& breakpoints) : memory_(memory), breakpoints_(breakpoints) {}
    MaybeFault read(std::uint32_t linear, std::span<std::byte> to, AccessPrivilege privilege) override {
        breakpoints_.access(linear, to.size(), AccessType::read);
        return memory_.read(linear, to, privilege);
    }
    MaybeFault write(std::uint32_t linear, std::span<const std::byte> from, AccessPrivilege privilege) override {
        breakpoints_.access(linear, from.size(), AccessType::write);
        return memory_.write(linear, from, privilege);
    }
    MaybeFault probe(std::uint32_t linear, std::uint32_t bytes, AccessType type, AccessPrivilege privilege) override {
        return memory_.probe(linear, bytes, type, privilege);
    }
    bool stop_repeating() const override { return breakpoints_.hits() != 0; }

private:
    FlatMemory& memory_;
    Breakpoints& breakpoints_;
};

struct BreakpointAccesses : Machine {
    static constexpr std::uint32_t kAt = 0x8000;
    Breakpoints breakpoints;
    WatchedMemory watched{memory, breakpoints};
    FakeRunner runner;

    /// DR6 bits of an instruction with a write breakpoint (bit 0) and a read-write one (bit 1) on the same 4 bytes.
    std::uint32_t hits(std::initializer_list<std::uint8_t> code, std::uint32_t at = kAt) {
        set(vcpu, 0, at, kWrite, k4);
        set(vcpu, 1, at, kReadWrite, k4);
        breakpoints.load(vcpu);
        breakpoints.forget_hits();
        static const translator::Decoder decoder;
        std::vector<std::uint8_t> padded(code);
        padded.resize(translator::kMaxInstructionLength);
        translator::Instruction insn{};
        EXPECT_EQ(decoder.decode(translator::CodeSize::bits32, padded, vcpu.eip, insn), translator::DecodeStatus::ok);
        outcome = emulate(vcpu, watched, runner, insn);
        EXPECT_TRUE(outcome.kind == EmulationOutcome::Kind::done || outcome.kind == EmulationOutcome::Kind::partial);
        return breakpoints.hits();
    }
    EmulationOutcome outcome{};
};
constexpr std::uint32_t kNothing = 0, kRead = 2, kWritten = 3;

TEST_F(BreakpointAccesses, Moves) {
    vcpu.gpr[kEbx] = kAt;
    EXPECT_EQ(hits({0x89, 0x03}), kWritten);       // MOV [ebx], eax
    EXPECT_EQ(hits({0x8B, 0x03}), kRead);          // MOV eax, [ebx]
    EXPECT_EQ(hits({0x01, 0x43, 0x03}), kWritten); // ADD [ebx+3], eax
    EXPECT_EQ(hits({0x8B, 0x43, 0x04}), kNothing);
    EXPECT_EQ(hits({0x0F, 0x18, 0x0B}), kNothing); // PREFETCHT0
    EXPECT_EQ(hits({0x0F, 0x1F, 0x03}), kNothing); // NOP [ebx]
}

TEST_F(BreakpointAccesses, Stack) {
    const auto from = [this](std::uint32_t esp, std::initializer_list<std::uint8_t> code) {
        vcpu.gpr[kEsp] = esp;
        return hits(code);
    };
    EXPECT_EQ(from(kAt + 4, {0x50}), kWritten); // PUSH eax
    EXPECT_EQ(from(kAt, {0x50}), kNothing);
    EXPECT_EQ(from(kAt, {0x58}), kRead); // POP eax
    EXPECT_EQ(from(kAt - 4, {0x58}), kNothing);
    EXPECT_EQ(from(kAt + 32, {0x60}), kWritten); // PUSHAD: EDI is the last
    EXPECT_EQ(from(kAt + 4, {0x60}), kWritten);  // EAX is the first
    EXPECT_EQ(from(kAt + 36, {0x60}), kNothing);
    EXPECT_EQ(from(kAt, {0x60}), kNothing);
    EXPECT_EQ(from(kAt - 28, {0x61}), kRead); // POPAD
    EXPECT_EQ(from(kAt - 32, {0x61}), kNothing);
    EXPECT_EQ(from(kAt + 4, {0xE8, 0, 0, 0, 0}), kWritten); // CALL
    memory.put<std::uint32_t>(kAt, 0x1000);
    EXPECT_EQ(from(kAt, {0xC3}), kRead); // RET
    EXPECT_EQ(from(kAt, {0xC2, 8, 0}), kRead);
    vcpu.gpr[kEbp] = kAt;
    EXPECT_EQ(from(0x9000, {0xC9}), kRead); // LEAVE
    EXPECT_EQ(from(kAt + 4, {0xC8, 16, 0, 0}), kWritten); // ENTER: EBP
    EXPECT_EQ(from(kAt + 24, {0xC8, 16, 0, 0}), kNothing) << "room is no access";
    vcpu.gpr[kEbp] = kAt + 4;
    EXPECT_EQ(from(0x9800, {0xC8, 16, 0, 2}), kRead) << "the outer frame's pointer";
}

TEST_F(BreakpointAccesses, BitStringsAndXlat) {
    vcpu.gpr[kEbx] = kAt - 0x100;
    vcpu.gpr[kEcx] = 0x100 * 8;
    EXPECT_EQ(hits({0x0F, 0xAB, 0x0B}), kWritten); // BTS [ebx], ecx
    EXPECT_EQ(hits({0x0F, 0xA3, 0x0B}), kRead);    // BT
    vcpu.gpr[kEcx] = 0x104 * 8;
    EXPECT_EQ(hits({0x0F, 0xA3, 0x0B}), kNothing);
    vcpu.gpr[kEax] = 0x80;
    vcpu.gpr[kEbx] = kAt - 0x80;
    EXPECT_EQ(hits({0xD7}), kRead);
}

TEST_F(BreakpointAccesses, StringsStopBehindTheElement) {
    vcpu.gpr[kEsi] = 0x9000;
    vcpu.gpr[kEdi] = kAt - 8;
    vcpu.gpr[kEcx] = 10;
    EXPECT_EQ(hits({0xF3, 0xA5}), kWritten); // REP MOVSD
    EXPECT_EQ(outcome.kind, EmulationOutcome::Kind::partial);
    EXPECT_EQ(vcpu.gpr[kEcx], 7U);
    EXPECT_EQ(hits({0xF3, 0xA5}), kNothing) << "the rest of it";
    EXPECT_EQ(outcome.kind, EmulationOutcome::Kind::done);
    vcpu.gpr[kEsi] = kAt;
    vcpu.gpr[kEcx] = 1;
    EXPECT_EQ(hits({0xF3, 0xAD}), kRead); // REP LODSD, its last element
    EXPECT_EQ(outcome.kind, EmulationOutcome::Kind::done);
    vcpu.gpr[kEcx] = 0;
    vcpu.gpr[kEdi] = kAt;
    EXPECT_EQ(hits({0xF3, 0xAB}), kNothing) << "REP STOSD of nothing";
}

TEST_F(BreakpointAccesses, StringPortsStopBehindTheElement) {
    set(vcpu, 0, kAt, kWrite, k4);
    breakpoints.load(vcpu);
    vcpu.gpr[kEdi] = kAt - 1;
    vcpu.gpr[kEdx] = 0x60;
    vcpu.gpr[kEcx] = 3;
    static const translator::Decoder decoder;
    std::uint8_t code[translator::kMaxInstructionLength] = {0xF3, 0x6C}; // REP INSB
    translator::Instruction insn{};
    ASSERT_EQ(decoder.decode(translator::CodeSize::bits32, code, vcpu.eip, insn), translator::DecodeStatus::ok);
    EXPECT_EQ(execute_system(vcpu, watched, bus, hooks, insn).kind, Outcome::Kind::repeat);
    EXPECT_EQ(vcpu.gpr[kEcx], 1U);
    EXPECT_EQ(breakpoints.hits(), 1U);
    breakpoints.forget_hits();
    vcpu.gpr[kEcx] = 3;
    vcpu.gpr[kEdi] = 0x9000;
    vcpu.eflags |= eflags::kTrap;
    EXPECT_EQ(execute_system(vcpu, watched, bus, hooks, insn).kind, Outcome::Kind::repeat);
    EXPECT_EQ(vcpu.gpr[kEcx], 2U) << "TF traps behind each element";
}

} // namespace
} // namespace ringone::vmm
