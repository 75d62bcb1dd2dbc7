// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "devices/i8259/i8259_pair.hpp"

#include <gtest/gtest.h>

namespace ringone::devices {
namespace {

constexpr std::uint8_t kNonSpecificEoi = 0x20, kSpecificEoi = 0x60, kReadIrr = 0x0A, kReadIsr = 0x0B, kPoll = 0x0C;

struct Pics : testing::Test {
    Wire intr;
    I8259Pair pair{intr};

    void master(std::uint32_t offset, std::uint32_t value) { pair.master().write(offset, 1, value); }
    void slave(std::uint32_t offset, std::uint32_t value) { pair.slave().write(offset, 1, value); }
    std::uint32_t master(std::uint32_t offset) { return pair.master().read(offset, 1); }
    std::uint32_t slave(std::uint32_t offset) { return pair.slave().read(offset, 1); }
    void initialize(std::uint8_t icw4 = 1) {
        for (const std::uint32_t word : {0x30U, 0x04U, static_cast<std::uint32_t>(icw4)}) {
            if (word == 0x30U) master(0, 0x11);
            master(1, word);
        }
        for (const std::uint32_t word : {0x38U, 0x02U, static_cast<std::uint32_t>(icw4)}) {
            if (word == 0x38U) slave(0, 0x11);
            slave(1, word);
        }
    }
    void SetUp() override { initialize(); }
    void raise(unsigned irq) { pair.input(irq).set_level(true); }
    void lower(unsigned irq) { pair.input(irq).set_level(false); }
    void pulse(unsigned irq) {
        lower(irq);
        raise(irq);
    }
    std::uint32_t isr() {
        master(0, kReadIsr);
        return master(0);
    }
    std::uint32_t irr() {
        master(0, kReadIrr);
        return master(0);
    }
};

TEST_F(Pics, LinuxProbeReadsItsMaskBack) {
    // probe_8259A: mask the slave, write a pattern to the master's IMR, read it back.
    slave(1, 0xFF);
    master(1, 0xFB);
    EXPECT_EQ(master(1), 0xFBU);
    EXPECT_EQ(slave(1), 0xFFU);
}

TEST_F(Pics, InitializationUnmasksAllAndForgetsEdges) {
    master(1, 0xFF);
    raise(3);
    initialize();
    EXPECT_EQ(master(1), 0U);
    EXPECT_EQ(irr(), 0U);
    EXPECT_FALSE(intr.level());
    pulse(3);
    EXPECT_TRUE(intr.level());
}

TEST_F(Pics, NothingIsRequestedBetweenIcw1AndTheLastWord) {
    master(0, 0x11);
    raise(1);
    EXPECT_FALSE(intr.level());
    master(1, 0x20);
    master(1, 0x04);
    EXPECT_FALSE(intr.level());
    master(1, 0x01);
    EXPECT_TRUE(intr.level());
    EXPECT_EQ(pair.acknowledge(), 0x21);
}

TEST_F(Pics, EdgeIsTakenOnce) {
    raise(4);
    ASSERT_TRUE(intr.level());
    EXPECT_EQ(pair.acknowledge(), 0x34);
    EXPECT_FALSE(intr.level());
    master(0, kSpecificEoi | 4);
    EXPECT_FALSE(intr.level()) << "the line is still high, but there was no new edge";
    pulse(4);
    EXPECT_TRUE(intr.level());
}

TEST_F(Pics, LevelIsTakenAsLongAsItLasts) {
    pair.elcr().write(1, 1, 1U << 1); // IRQ 9
    raise(9);
    EXPECT_EQ(pair.acknowledge(), 0x39);
    slave(0, kSpecificEoi | 1);
    master(0, kSpecificEoi | 2);
    EXPECT_TRUE(intr.level());
    EXPECT_EQ(pair.acknowledge(), 0x39);
    lower(9);
    slave(0, kSpecificEoi | 1);
    master(0, kSpecificEoi | 2);
    EXPECT_FALSE(intr.level());
}

TEST_F(Pics, TheElcrKeepsTheSystemIrqsEdgeTriggered) {
    for (std::uint32_t i = 0; i < 2; ++i) pair.elcr().write(i, 1, 0xFF);
    EXPECT_EQ(pair.elcr().read(0, 1), 0xF8U);
    EXPECT_EQ(pair.elcr().read(1, 1), 0xDEU);
}

TEST_F(Pics, MaskedRequestWaits) {
    master(1, 1U << 4);
    raise(4);
    EXPECT_FALSE(intr.level());
    EXPECT_EQ(irr(), 1U << 4);
    EXPECT_TRUE(pair.input(4).masked());
    EXPECT_TRUE(pair.input(4).request_pending());
    master(1, 0);
    EXPECT_TRUE(intr.level());
}

TEST_F(Pics, PriorityAndNesting) {
    raise(5);
    raise(3);
    EXPECT_EQ(pair.acknowledge(), 0x33);
    EXPECT_FALSE(intr.level()) << "5 is below 3, which is in service";
    raise(1);
    EXPECT_TRUE(intr.level()) << "1 is above";
    EXPECT_EQ(pair.acknowledge(), 0x31);
    EXPECT_EQ(isr(), 0x0AU);
    master(0, kNonSpecificEoi);
    EXPECT_EQ(isr(), 0x08U) << "the highest goes first";
    master(0, kNonSpecificEoi);
    EXPECT_EQ(pair.acknowledge(), 0x35);
}

TEST_F(Pics, SlaveComesThroughTheCascade) {
    raise(14);
    ASSERT_TRUE(intr.level());
    EXPECT_EQ(pair.acknowledge(), 0x3E);
    EXPECT_EQ(isr(), 4U);
    raise(8); // above 14 in the slave, but the master has its cascade input in service
    EXPECT_FALSE(intr.level());
    slave(0, kSpecificEoi | 6);
    master(0, kSpecificEoi | 2);
    EXPECT_EQ(pair.acknowledge(), 0x38);
}

TEST_F(Pics, SpecialFullyNestedMasterLetsHigherSlaveInputsIn) {
    initialize(0x11);
    raise(14);
    EXPECT_EQ(pair.acknowledge(), 0x3E);
    raise(8);
    EXPECT_TRUE(intr.level());
    EXPECT_EQ(pair.acknowledge(), 0x38);
}

TEST_F(Pics, RequestThatGoesAwayIsSpurious) {
    // Linux's handler checks ISR bit 7 for a spurious IRQ 7 and sends no EOI then.
    raise(4);
    lower(4);
    ASSERT_TRUE(intr.level()) << "INT stays until the acknowledge";
    EXPECT_EQ(pair.acknowledge(), 0x37);
    EXPECT_EQ(isr(), 0U);
    EXPECT_EQ(pair.spurious(), 1U);
    EXPECT_FALSE(intr.level());
}

TEST_F(Pics, SpuriousSlaveLeavesTheMasterInService) {
    // The slave's INT waits for the acknowledge too, so the master asks a slave that has lost its request.
    raise(12);
    lower(12);
    EXPECT_EQ(pair.acknowledge(), 0x3F);
    EXPECT_EQ(isr(), 4U) << "the master needs an EOI all the same";
    slave(0, kReadIsr);
    EXPECT_EQ(slave(0), 0U);
}

TEST_F(Pics, MaskingTakesTheRequestBack) {
    raise(12);
    slave(1, 0x10);
    EXPECT_FALSE(intr.level());
    slave(1, 0);
    EXPECT_TRUE(intr.level());
    EXPECT_EQ(pair.acknowledge(), 0x3C);
}

TEST_F(Pics, RealIrq7IsInService) {
    raise(7);
    EXPECT_EQ(pair.acknowledge(), 0x37);
    EXPECT_EQ(isr(), 0x80U);
    EXPECT_EQ(pair.spurious(), 0U);
}

TEST_F(Pics, AutoEoiLeavesNothingInService) {
    initialize(0x03);
    raise(3);
    EXPECT_EQ(pair.acknowledge(), 0x33);
    EXPECT_EQ(isr(), 0U);
    raise(5);
    EXPECT_EQ(pair.acknowledge(), 0x35);
}

TEST_F(Pics, RotationMakesTheServicedOneLast) {
    raise(3);
    EXPECT_EQ(pair.acknowledge(), 0x33);
    master(0, 0xA0); // rotate on non-specific EOI
    pulse(3);
    raise(4);
    EXPECT_EQ(pair.acknowledge(), 0x34);
    master(0, kNonSpecificEoi);
    master(0, 0xC2); // set priority: 2 lowest, so 3 highest
    raise(1);
    EXPECT_EQ(pair.acknowledge(), 0x33);
}

TEST_F(Pics, SpecialMaskModeLetsLowerOnesIn) {
    raise(3);
    EXPECT_EQ(pair.acknowledge(), 0x33);
    raise(6);
    EXPECT_FALSE(intr.level());
    master(1, 1U << 3);
    master(0, 0x68);
    EXPECT_TRUE(intr.level());
    EXPECT_EQ(pair.acknowledge(), 0x36);
    master(0, 0x48);
    master(1, 0);
    EXPECT_EQ(isr(), 0x48U);
}

TEST_F(Pics, PollAcknowledges) {
    raise(6);
    master(0, kPoll);
    EXPECT_EQ(master(0), 0x86U);
    EXPECT_EQ(isr(), 0x40U);
    master(0, kPoll);
    EXPECT_EQ(master(0), 0U) << "no request: bit 7 clear";
}

TEST_F(Pics, TheCascadeInputIsNoIrq) {
    raise(2);
    EXPECT_FALSE(intr.level());
    EXPECT_TRUE(pair.input(2).masked());
}

} // namespace
} // namespace ringone::devices
