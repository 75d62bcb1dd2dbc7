// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "devices/platform/pc_layout.hpp"
#include "tests/unit/devices/fakes.hpp"

#include <stdexcept>

namespace ringone::devices {
namespace {

struct Platform : PlatformTest {
    std::uint32_t config(std::uint32_t device, std::uint32_t function, std::uint32_t offset, std::uint32_t size = 4,
                         std::uint32_t bus = 0) {
        pc.io_write(0xCF8, 4, 0x8000'0000U | bus << 16U | device << 11U | function << 8U | (offset & 0xFCU));
        return pc.io_read(static_cast<std::uint16_t>(0xCFC + (offset & 3U)), size);
    }
    void start_timer(std::uint32_t count) {
        out(0x43, 0x34);
        out(0x40, count & 0xFFU);
        out(0x40, count >> 8U);
    }
};

TEST_F(Platform, EveryStandardPortIsThere) {
    const std::uint64_t before = pc.port_counters().unclaimed_reads;
    for (const int port : {0x20, 0x21, 0x40, 0x43, 0x60, 0x61, 0x64, 0x70, 0x71, 0x80, 0x92, 0xA0, 0xA1, 0xE9, 0xF4,
                                     0x3F8, 0x3FF, 0x4D0, 0x4D1, 0xCF9, 0xCFC, 0xCFF, 0xB000, 0xB03F})
        static_cast<void>(in(static_cast<std::uint16_t>(port)));
    EXPECT_EQ(pc.port_counters().unclaimed_reads, before);
    for (const int port : {0x2F8, 0x1F0, 0x378, 0x3D4, 0x1CE, 0xB040}) { EXPECT_EQ(in(static_cast<std::uint16_t>(port)), 0xFF); }
    EXPECT_EQ(pc.port_counters().unclaimed_reads, before + 6);
    EXPECT_EQ(pc.mmio_read(0xFEC0'0000, 4), 0xFFFF'FFFFU) << "no I/O APIC";
    EXPECT_EQ(pc.mmio_counters().unclaimed_reads, 4U);
}

TEST_F(Platform, MachinesAreBornQuiet) {
    EXPECT_FALSE(pc.interrupt_pending());
    EXPECT_EQ(pc.event(), std::nullopt);
    EXPECT_TRUE(pc.a20_enabled());
    run_for(10 * kSecond);
    EXPECT_FALSE(pc.interrupt_pending());
}

TEST_F(Platform, TooMuchMemoryIsRefused) {
    const PcEnvironment environment{std::uint64_t{pc::kPciMemoryFirst} + 1, clock, clock, serial, keys, console};
    EXPECT_THROW(PcPlatform{environment}, std::invalid_argument);
}

TEST_F(Platform, PciTypeOneProbe) {
    // Linux's pci_check_type1: CONFADD reads back what was written; a byte to 0xCFB is not part of it.
    out(0xCFB, 0x01);
    pc.io_write(0xCF8, 4, 0x8000'0000);
    EXPECT_EQ(pc.io_read(0xCF8, 4), 0x8000'0000U);
    // pci_sanity_check: a host bridge on bus 0.
    EXPECT_EQ(config(0, 0, 0x0A, 2), 0x0600U);
    EXPECT_EQ(config(0, 0, 0), 0x1237'8086U);
    EXPECT_EQ(config(1, 0, 0), 0x7110'8086U);
    EXPECT_EQ(config(1, 0, 0x0E, 1), 0x80U) << "multifunction";
    EXPECT_EQ(config(1, 3, 0), 0x7113'8086U);
    EXPECT_EQ(config(1, 3, 0x40) & 0xFFC0U, pc::kPowerManagementPort) << "PMBASE";
    unsigned functions = 0;
    for (std::uint32_t device = 0; device < 32; ++device)
        for (std::uint32_t function = 0; function < 8; ++function)
            functions += config(device, function, 0, 2) != 0xFFFFU ? 1U : 0U;
    EXPECT_EQ(functions, 3U);
    EXPECT_EQ(config(0, 0, 0, 4, 1), 0xFFFF'FFFFU) << "no bus 1";
    pc.io_write(0xCF8, 4, 0);
    EXPECT_EQ(pc.io_read(0xCFC, 4), 0xFFFF'FFFFU) << "not enabled";
}

TEST_F(Platform, PciBarsSizeAsAbsent) {
    for (std::uint32_t bar = 0x10; bar < 0x28; bar += 4) {
        static_cast<void>(config(1, 3, bar));
        pc.io_write(0xCFC, 4, 0xFFFF'FFFF);
        EXPECT_EQ(config(1, 3, bar), 0U);
    }
    static_cast<void>(config(1, 3, 0x3C));
    pc.io_write(0xCFC, 1, 0x0B);
    EXPECT_EQ(config(1, 3, 0x3C, 1), 0x0BU) << "the interrupt line is the guest's scratch byte";
}

TEST_F(Platform, ResetsOfEveryKind) {
    const auto resets = [](auto&& act) {
        FakeClock time;
        FakeSink sink;
        FakeSource source;
        PcPlatform machine({kMemory, time, time, sink, source, sink});
        act(machine);
        return machine.event() == PcEvent{PcEvent::Kind::kReset, 0};
    };
    EXPECT_FALSE(resets([](PcPlatform&) {}));
    EXPECT_TRUE(resets([](PcPlatform& m) { m.io_write(0x64, 1, 0xFE); }));
    EXPECT_TRUE(resets([](PcPlatform& m) { m.io_write(0x92, 1, 0x01); }));
    EXPECT_TRUE(resets([](PcPlatform& m) {
        m.io_write(0xCF9, 1, 0x02);
        m.io_write(0xCF9, 1, 0x06);
    }));
    EXPECT_FALSE(resets([](PcPlatform& m) { m.io_write(0xCF8, 4, 0x8000'0600); })) << "CONFADD, not the reset register";
}

TEST_F(Platform, PowerOffAndDebugExit) {
    pc.io_write(0x64, 1, 0xFE);
    pc.io_write(pc::kPowerManagementPort + 4, 2, 5U << 10U | 0x2000U);
    EXPECT_EQ(pc.event(), (PcEvent{PcEvent::Kind::kPowerOff, 0})) << "a power-off ends the machine whatever else happened";
    pc.io_write(pc::kDebugExitPort, 1, 0x2A);
    EXPECT_EQ(pc.event(), (PcEvent{PcEvent::Kind::kDebugExit, 0x2A}));
}

TEST_F(Platform, ConsolesReachTheirSinks) {
    out(0x3F8, 'S');
    out(0xE9, 'D');
    EXPECT_EQ(serial.text, "S");
    EXPECT_EQ(console.text, "D");
}

TEST_F(Platform, InterruptsComeInTheOrderOfTheirPriority) {
    init_pics();
    unmask(0x0313); // IRQ 0, 1, 4, 8, 9
    out(0x3FC, 0x0B);
    out(0x3F9, 0x01);
    out(0x70, 0x0B);
    out(0x71, 0x12); // update-ended interrupt
    pc.io_write(pc::kPowerManagementPort + 2, 2, PowerManagement::kPowerButton);
    start_timer(11932);
    run_for(20 * kMillisecond);
    while (take_interrupt()) {}

    // All at the same time.
    pc.press_power_button();
    EXPECT_TRUE(pc.key({0x1E, false}, true));
    keys.type("x");
    pc.poll_serial();
    clock.ns = 1'000 * kMillisecond;
    pc.advance(clock.ns);
    std::vector<unsigned> vectors;
    for (unsigned i = 0; i < 4; ++i) vectors.push_back(take_interrupt().value_or(0));
    EXPECT_EQ(vectors, (std::vector<unsigned>{0x30, 0x31, 0x38, 0x39})) << "timer, keyboard, RTC, SCI";
    ASSERT_EQ(pc.acknowledge_interrupt(), 0x39) << "level-triggered: again, until it is served";
    pc.io_write(pc::kPowerManagementPort, 2, PowerManagement::kPowerButton);
    out(0xA0, 0x61);
    out(0x20, 0x62);
    EXPECT_EQ(take_interrupt(), 0x34);
    EXPECT_EQ(take_interrupt(), std::nullopt);
    EXPECT_EQ(pc.spurious_interrupts(), 0U);
}

TEST_F(Platform, TimerTicksOfAMinuteAreAllDelivered) {
    init_pics();
    unmask(1);
    start_timer(4773); // HZ=250
    unsigned ticks = 0;
    std::uint64_t turns = 0;
    const std::uint64_t end = 60 * kSecond;
    while (clock.ns < end) {
        const Deadline next = pc.next_deadline_ns();
        ASSERT_TRUE(next);
        // A host that is late by up to 50 ms every now and then.
        const bool late = ++turns % 32 == 0;
        clock.ns = std::max(clock.ns, *next) + (late ? turns * 7919U * kMicrosecond % (50 * kMillisecond) : 0);
        pc.advance(clock.ns);
        while (take_interrupt()) ++ticks;
    }
    EXPECT_GT(pc.tick_counters().late, 1000U) << "the host was late indeed";
    EXPECT_EQ(pc.tick_counters().lost, 0U);
    // What is owed at the end comes within the backlog's catching up.
    const std::uint64_t ended = clock.ns;
    while (pc.next_deadline_ns().value_or(0) < ended + 2 * kSecond) {
        clock.ns = std::max(clock.ns, *pc.next_deadline_ns());
        pc.advance(clock.ns);
        while (take_interrupt()) ++ticks;
    }
    const double expected = static_cast<double>(clock.ns) / 1e9 * 1193181.818 / 4773;
    EXPECT_NEAR(ticks, expected, 2.0) << "no drift";
}

TEST_F(Platform, TheDeadlineIsHonest) {
    // Nothing may happen between now and the deadline that a call of advance() would have shown.
    init_pics();
    unmask(0x0101);
    start_timer(0);
    out(0x70, 0x0B);
    out(0x71, 0x42); // periodic, 1024 Hz
    while (take_interrupt()) {} // the edge of the mode that was set
    for (unsigned i = 0; i < 2000; ++i) {
        const Deadline next = pc.next_deadline_ns();
        ASSERT_TRUE(next);
        if (*next > clock.ns + 1) {
            clock.ns = *next - 1;
            pc.advance(clock.ns);
            ASSERT_FALSE(pc.interrupt_pending()) << "before its deadline " << i;
        }
        clock.ns = std::max(clock.ns, *next);
        pc.advance(clock.ns);
        while (take_interrupt()) {
            out(0x70, 0x0C);
            static_cast<void>(in(0x71));
        }
    }
    EXPECT_NEAR(static_cast<double>(clock.ns), 1.9e9, 0.2e9) << "1024 and 18.2 turns a second";
}

TEST_F(Platform, AnIdleTicklessGuestIsLeftAlone) {
    init_pics();
    unmask(1);
    out(0x43, 0x38); // one-shot, shut down
    run_for(kMillisecond);
    while (take_interrupt()) {}
    EXPECT_EQ(run_for(60 * kSecond), 0U) << "no deadline, no wake-up";
}

TEST_F(Platform, MemorySizeInCmos) {
    out(0x70, 0x34);
    const unsigned low = in(0x71);
    out(0x70, 0x35);
    EXPECT_EQ((low | static_cast<unsigned>(in(0x71)) << 8U) * 65536ULL + (16ULL << 20U), kMemory);
}

} // namespace
} // namespace ringone::devices
