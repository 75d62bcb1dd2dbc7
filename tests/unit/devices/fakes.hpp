// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "devices/base/byte_stream.hpp"
#include "devices/base/clock.hpp"
#include "devices/base/line.hpp"
#include "devices/platform/pc_platform.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace ringone::devices {

inline constexpr std::uint64_t kMicrosecond = 1'000;
inline constexpr std::uint64_t kMillisecond = 1'000'000;
inline constexpr std::uint64_t kSecond = kNanosecondsPerSecond;

/// Time that moves when a test says so. The wall clock goes along, from 2026-03-01 12:34:56 UTC on.
struct FakeClock final : Clock, WallClock {
    static constexpr std::int64_t kStartSecond = 1'772'368'496;
    std::uint64_t ns = 0;
    std::int64_t wall_step_ns = 0; ///< what a host administrator did to the clock

    [[nodiscard]] std::uint64_t now_ns() const override { return ns; }
    [[nodiscard]] std::int64_t unix_time_ns() const override {
        return kStartSecond * static_cast<std::int64_t>(kSecond) + static_cast<std::int64_t>(ns) + wall_step_ns;
    }
};

/// An interrupt line that counts what happens to it.
struct FakeLine final : InterruptInput {
    bool high = false;
    bool is_pending = false, is_masked = false; ///< what the controller answers
    unsigned rising = 0;

    void set_level(bool level) override {
        rising += level && !high ? 1U : 0U;
        high = level;
    }
    [[nodiscard]] bool request_pending() const override { return is_pending; }
    [[nodiscard]] bool masked() const override { return is_masked; }
};

struct FakeSink final : ByteSink {
    std::string text;
    bool full = false;

    [[nodiscard]] bool put(std::uint8_t byte) override {
        if (!full) text.push_back(static_cast<char>(byte));
        return !full;
    }
};

struct FakeSource final : ByteSource {
    std::deque<std::uint8_t> bytes;

    void type(const std::string& text) { bytes.insert(bytes.end(), text.begin(), text.end()); }
    [[nodiscard]] std::optional<std::uint8_t> get() override {
        if (bytes.empty()) return std::nullopt;
        const std::uint8_t byte = bytes.front();
        bytes.pop_front();
        return byte;
    }
};

/// A whole machine on fake time.
struct PlatformTest : testing::Test {
    static constexpr std::uint64_t kMemory = 256ULL << 20U;
    FakeClock clock;
    FakeSink serial, console;
    FakeSource keys;
    PcPlatform pc{{kMemory, clock, clock, serial, keys, console}};

    std::uint8_t in(std::uint16_t port) { return static_cast<std::uint8_t>(pc.io_read(port, 1)); }
    void out(std::uint16_t port, std::uint32_t value) { pc.io_write(port, 1, value); }

    /// Sets up the pair as Linux's init_8259A(0) does: vectors 0x30 and 0x38, everything masked.
    void init_pics() {
        out(0x21, 0xFF);
        for (const auto& [port, vector, wiring] : {std::tuple{0x20, 0x30, 4}, std::tuple{0xA0, 0x38, 2}}) {
            const auto at = static_cast<std::uint16_t>(port);
            out(at, 0x11);
            out(static_cast<std::uint16_t>(at + 1), static_cast<std::uint32_t>(vector));
            out(static_cast<std::uint16_t>(at + 1), static_cast<std::uint32_t>(wiring));
            out(static_cast<std::uint16_t>(at + 1), 1);
        }
        out(0x21, 0xFF);
        out(0xA1, 0xFF);
    }
    void unmask(std::uint16_t irqs) {
        out(0x21, static_cast<std::uint8_t>(~irqs & 0xFB));
        out(0xA1, static_cast<std::uint8_t>(~(irqs >> 8U)));
    }
    /// The vector of the interrupt, with the handler's specific EOI as Linux sends it; nothing when none is pending.
    std::optional<std::uint8_t> take_interrupt() {
        if (!pc.interrupt_pending()) return std::nullopt;
        const std::uint8_t vector = pc.acknowledge_interrupt();
        const unsigned irq = vector - 0x30U;
        if (irq >= 8) {
            out(0xA0, 0x60U + (irq & 7U));
            out(0x20, 0x62);
        } else {
            out(0x20, 0x60U + irq);
        }
        return vector;
    }
    /// Runs as the main loop does: from deadline to deadline until `ns` have passed. Counts the loop's turns.
    unsigned run_for(std::uint64_t ns) {
        const std::uint64_t end = clock.ns + ns;
        unsigned turns = 0;
        for (;; ++turns) {
            const Deadline next = pc.next_deadline_ns();
            if (!next || *next > end) break;
            clock.ns = std::max(clock.ns, *next);
            pc.advance(clock.ns);
            if (turns > 1'000'000) {
                ADD_FAILURE() << "the deadline does not move on";
                break;
            }
        }
        clock.ns = end;
        pc.advance(clock.ns);
        return turns;
    }
};

} // namespace ringone::devices
