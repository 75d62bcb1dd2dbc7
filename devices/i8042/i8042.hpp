// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "devices/base/line.hpp"
#include "devices/base/ring_buffer.hpp"
#include "devices/bus/register_block.hpp"
#include "devices/i8042/ps2_keyboard.hpp"

#include <cstdint>
#include <optional>

namespace ringone::devices {

struct I8042Lines {
    Line& irq1;
    Line& reset; ///< pulsed high to reset the CPU
    Line& a20;   ///< high: address line 20 is enabled
};

/// The 8042 keyboard controller (IBM PS/2 hardware interface reference), as firmware leaves it: keyboard enabled,
/// translating, interrupt on. Nothing is on its auxiliary port: its test answers so. Register 0: data, 1: status and
/// command. Commands take no time, so the input buffer never reads as full.
class I8042 final : public ByteRegisterBlock {
public:
    static constexpr std::uint32_t kData = 0;
    static constexpr std::uint32_t kStatusCommand = 1;

    explicit I8042(const I8042Lines& lines);

    [[nodiscard]] std::uint8_t read_byte(std::uint32_t offset) override;
    void write_byte(std::uint32_t offset, std::uint8_t value) override;

    /// False: the keyboard did not take it (scanning disabled, unknown key, or its buffer is full).
    [[nodiscard]] bool key(KeyCode code, bool pressed);
    [[nodiscard]] const Ps2Keyboard& keyboard() const { return keyboard_; }

private:
    static constexpr std::size_t kMemoryBytes = 32;
    static constexpr std::size_t kResponses = 4;

    struct Output {
        std::uint8_t byte;
        std::uint8_t status; ///< the status bits that go with it
    };

    [[nodiscard]] std::uint8_t& configuration() { return memory_[0]; }
    [[nodiscard]] std::uint8_t status() const;
    [[nodiscard]] std::uint8_t read_data();
    void write_command(std::uint8_t command);
    void write_data(std::uint8_t value);
    void respond(std::uint8_t byte, std::uint8_t status_bits = 0);
    void set_output_port(std::uint8_t value);
    [[nodiscard]] std::optional<std::uint8_t> keyboard_byte();
    void fill_output();

    I8042Lines lines_;
    Ps2Keyboard keyboard_;
    std::array<std::uint8_t, kMemoryBytes> memory_{};
    RingBuffer<Output, kResponses> responses_;
    std::optional<Output> output_;
    std::uint8_t last_data_ = 0;
    std::uint8_t output_port_;
    std::optional<std::uint8_t> awaits_data_; ///< of this command
    bool last_write_was_command_ = false;
    bool break_prefix_ = false; ///< translation has swallowed 0xF0
};

} // namespace ringone::devices
