// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "devices/base/ring_buffer.hpp"
#include "devices/i8042/key_code.hpp"

#include <cstdint>
#include <optional>
#include <span>

namespace ringone::devices {

/// A PS/2 keyboard (IBM PS/2 hardware interface reference, 101/102-key keyboard), scan code sets 1 and 2.
class Ps2Keyboard {
public:
    /// A byte from the controller: a command or its argument.
    void write(std::uint8_t byte);
    /// The next byte for the controller.
    [[nodiscard]] std::optional<std::uint8_t> take();

    /// False when the keyboard does not scan (disabled by the guest), has no such key or no room: nothing is sent.
    [[nodiscard]] bool key(KeyCode code, bool pressed);

    /// LED state: bit 0 scroll lock, 1 num lock, 2 caps lock.
    [[nodiscard]] std::uint8_t leds() const { return leds_; }

private:
    static constexpr std::size_t kQueueBytes = 64;

    void reply(std::uint8_t byte);
    void set_defaults();
    void command(std::uint8_t byte);
    void argument(std::uint8_t command, std::uint8_t byte);
    [[nodiscard]] bool send(std::span<const std::uint8_t> sequence);

    RingBuffer<std::uint8_t, kQueueBytes> queue_;
    std::optional<std::uint8_t> awaits_argument_; ///< of this command
    std::uint8_t last_sent_ = 0;
    std::uint8_t scan_code_set_ = 2;
    std::uint8_t leds_ = 0;
    bool scanning_ = true;
};

} // namespace ringone::devices
