// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "devices/i8042/i8042.hpp"
#include "devices/i8042/scan_codes.hpp"
#include "tests/unit/devices/fakes.hpp"

namespace ringone::devices {
namespace {

constexpr std::uint8_t kOutputFull = 0x01, kAuxData = 0x20;

/// The sequences are those of Linux's drivers/input/serio/i8042.c and keyboard/atkbd.c.
struct Kbc : testing::Test {
    FakeLine irq1, reset, a20;
    I8042 kbc{I8042Lines{irq1, reset, a20}};

    std::uint8_t status() { return static_cast<std::uint8_t>(kbc.read(I8042::kStatusCommand, 1)); }
    std::uint8_t data() { return static_cast<std::uint8_t>(kbc.read(I8042::kData, 1)); }
    void command(std::uint8_t value) { kbc.write(I8042::kStatusCommand, 1, value); }
    void write(std::uint8_t value) { kbc.write(I8042::kData, 1, value); }
    std::optional<std::uint8_t> answer() {
        if ((status() & kOutputFull) == 0) return std::nullopt;
        return data();
    }
    std::vector<unsigned> answers() {
        std::vector<unsigned> all;
        while (const auto byte = answer()) all.push_back(*byte);
        return all;
    }
    std::uint8_t command_byte() {
        command(0x20);
        return answer().value_or(0xEE);
    }
    void set_command_byte(std::uint8_t value) {
        command(0x60);
        write(value);
    }
};

using Bytes = std::vector<unsigned>;

TEST_F(Kbc, ControllerProbe) {
    EXPECT_EQ(answer(), std::nullopt) << "i8042_flush finds nothing";
    command(0xAA);
    EXPECT_EQ(answer(), 0x55);
    EXPECT_EQ(status() & 0x04, 0x04) << "the system flag";
    command(0xAB);
    EXPECT_EQ(answer(), 0x00);
    const std::uint8_t ctr = command_byte();
    EXPECT_EQ(ctr & 0x50, 0x40) << "translating, keyboard not disabled";
    set_command_byte(ctr | 0x10);
    EXPECT_EQ(command_byte(), ctr | 0x10);
}

TEST_F(Kbc, MuxProbeFailsCleanly) {
    // i8042_set_mux_mode writes F0, 56, A4 through AUX_LOOP (0xD3); a multiplexer would answer the last with its version.
    for (const std::uint8_t value : {std::uint8_t{0xF0}, std::uint8_t{0x56}, std::uint8_t{0xA4}}) {
        command(0xD3);
        write(value);
        EXPECT_EQ(status() & kAuxData, 0) << "an answer not marked as auxiliary ends Linux's probe";
        EXPECT_EQ(answer(), value);
    }
    EXPECT_EQ(answer(), std::nullopt);
}

TEST_F(Kbc, NoAuxiliaryPort) {
    command(0xA9);
    EXPECT_EQ(answer(), 0x01) << "not 0, 0xFA or 0xFF: Linux skips the port";
    command(0xA8);
    EXPECT_EQ(command_byte() & 0x20, 0);
    command(0xA7);
    EXPECT_EQ(command_byte() & 0x20, 0x20);
    command(0xD4);
    write(0xF2);
    EXPECT_EQ(status() & (kAuxData | kOutputFull), kAuxData | kOutputFull);
    EXPECT_EQ(answer(), 0xFE);
}

TEST_F(Kbc, KeyboardProbeAndReset) {
    write(0xF2);
    EXPECT_EQ(answers(), (Bytes{0xFA, 0xAB, 0x41})) << "83 translates to 41";
    write(0xFF);
    EXPECT_EQ(answers(), (Bytes{0xFA, 0xAA}));
    write(0xED);
    EXPECT_EQ(answer(), 0xFA);
    write(0x05);
    EXPECT_EQ(answer(), 0xFA);
    EXPECT_EQ(kbc.keyboard().leds(), 5);
    write(0xF3);
    write(0x00);
    EXPECT_EQ(answers(), (Bytes{0xFA, 0xFA}));
    write(0xEE);
    EXPECT_EQ(answer(), 0xEE);
    write(0x01);
    EXPECT_EQ(answer(), 0xFE) << "an unknown command asks to send again";
}

TEST_F(Kbc, ScanCodeSets) {
    set_command_byte(0x05); // no translation
    write(0xF0);
    write(0x00);
    EXPECT_EQ(answers(), (Bytes{0xFA, 0xFA, 0x02}));
    EXPECT_TRUE(kbc.key({0x1E, false}, true)); // A
    EXPECT_TRUE(kbc.key({0x1E, false}, false));
    EXPECT_EQ(answers(), (Bytes{0x1C, 0xF0, 0x1C}));
    write(0xF0);
    write(0x01);
    EXPECT_EQ(answers(), (Bytes{0xFA, 0xFA}));
    EXPECT_TRUE(kbc.key({0x1E, false}, false));
    EXPECT_EQ(answers(), (Bytes{0x9E}));
    write(0xF0);
    write(0x03);
    EXPECT_EQ(answers(), (Bytes{0xFA, 0xFE})) << "no set 3";
}

TEST_F(Kbc, KeysInterruptAndTranslate) {
    EXPECT_TRUE(kbc.key({0x1E, false}, true));
    EXPECT_TRUE(irq1.high);
    EXPECT_EQ(data(), 0x1E);
    EXPECT_FALSE(irq1.high);
    EXPECT_TRUE(kbc.key({0x1E, false}, false));
    EXPECT_EQ(answers(), (Bytes{0x9E}));
    EXPECT_TRUE(kbc.key({0x4B, true}, true)); // left arrow
    EXPECT_EQ(irq1.rising, 3U);
    EXPECT_EQ(data(), 0xE0);
    EXPECT_EQ(irq1.rising, 4U) << "each byte has an edge of its own";
    EXPECT_EQ(data(), 0x4B);
    EXPECT_TRUE(kbc.key(kPauseKey, true));
    EXPECT_EQ(answers(), (Bytes{0xE1, 0x1D, 0x45, 0xE1, 0x9D, 0xC5}));
}

TEST_F(Kbc, EveryTranslatedKeyComesOutAsItWentIn) {
    unsigned keys = 0;
    for (unsigned code = 1; code < 0x80; ++code) {
        const KeyCode key{static_cast<std::uint8_t>(code), false};
        if (!kbc.key(key, true)) continue;
        ASSERT_TRUE(kbc.key(key, false));
        EXPECT_EQ(answers(), (Bytes{code, code | 0x80})) << code;
        ++keys;
    }
    EXPECT_GE(keys, 104U);
}

TEST_F(Kbc, InterruptsOnlyWhenEnabled) {
    set_command_byte(0x44);
    EXPECT_TRUE(kbc.key({0x1E, false}, true));
    EXPECT_FALSE(irq1.high);
    EXPECT_EQ(status() & kOutputFull, kOutputFull);
    set_command_byte(0x45);
    EXPECT_TRUE(irq1.high) << "enabling finds the byte";
}

TEST_F(Kbc, DisabledKeyboardKeepsItsKeys) {
    command(0xAD);
    EXPECT_TRUE(kbc.key({0x1E, false}, true));
    EXPECT_EQ(answer(), std::nullopt);
    command(0xAE);
    EXPECT_EQ(answer(), 0x1E);
}

TEST_F(Kbc, FullBufferRefusesWholeKeys) {
    unsigned taken = 0;
    while (kbc.key({0x4B, true}, true)) ++taken;
    EXPECT_GT(taken, 10U);
    const Bytes all = answers();
    EXPECT_EQ(all.size(), 2 * taken) << "no half of a key";
    write(0xF5);
    EXPECT_EQ(answers(), (Bytes{0xFA}));
    EXPECT_FALSE(kbc.key({0x1E, false}, true)) << "not scanning";
    write(0xF4);
    EXPECT_EQ(answers(), (Bytes{0xFA}));
    EXPECT_TRUE(kbc.key({0x1E, false}, true));
}

TEST_F(Kbc, ResetLine) {
    // Linux's machine_real_restart: 0xFE to port 0x64.
    EXPECT_EQ(reset.rising, 0U);
    command(0xFF); // pulses nothing
    EXPECT_EQ(reset.rising, 0U);
    command(0xFE);
    EXPECT_EQ(reset.rising, 1U);
    command(0xD1);
    write(0xDE);
    EXPECT_EQ(reset.rising, 2U);
}

TEST_F(Kbc, GateA20) {
    EXPECT_TRUE(a20.high);
    command(0xD1);
    write(0xDD);
    EXPECT_FALSE(a20.high);
    command(0xD0);
    EXPECT_EQ(answer().value_or(0xFF) & 0x02, 0);
    command(0xDF);
    EXPECT_TRUE(a20.high);
    command(0xDD);
    EXPECT_FALSE(a20.high);
    EXPECT_EQ(reset.rising, 0U);
}

TEST_F(Kbc, StatusTellsCommandFromData) {
    command(0xAE);
    EXPECT_EQ(status() & 0x08, 0x08);
    write(0xEE);
    EXPECT_EQ(status() & 0x08, 0x00);
    EXPECT_EQ(status() & 0x02, 0x00) << "the input buffer is never full";
}

TEST_F(Kbc, ControllerMemory) {
    command(0x61);
    write(0x77);
    command(0x21);
    EXPECT_EQ(answer(), 0x77);
}

} // namespace
} // namespace ringone::devices
