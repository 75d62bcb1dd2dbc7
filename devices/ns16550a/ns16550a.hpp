// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "devices/base/byte_stream.hpp"
#include "devices/base/clock.hpp"
#include "devices/base/line.hpp"
#include "devices/base/ring_buffer.hpp"
#include "devices/bus/register_block.hpp"

#include <cstdint>

namespace ringone::devices {

/// A 16550A UART (National Semiconductor PC16550D) with a null-modem peer that is always ready. It sends as fast as
/// its sink takes bytes, and takes from its source whenever the receiver has room, so that a byte is never lost in
/// either direction; the baud rate only times the character timeout. As wired in a PC, MCR.OUT2 gates the interrupt.
class Ns16550a final : public ByteRegisterBlock {
public:
    static constexpr std::size_t kFifoBytes = 16;

    Ns16550a(const Clock& clock, ByteSink& sink, ByteSource& source, Line& irq);

    [[nodiscard]] std::uint8_t read_byte(std::uint32_t offset) override;
    void write_byte(std::uint32_t offset, std::uint8_t value) override;

    /// The source or the sink may have become ready.
    void poll();
    /// The peer sends a break (Linux's SysRq on a serial console).
    void receive_break();

    /// The character timeout, while one is running.
    [[nodiscard]] Deadline next_deadline_ns() const;
    void advance(std::uint64_t now_ns);

private:
    struct Received {
        std::uint8_t byte;
        std::uint8_t errors; ///< LSR bits
    };

    [[nodiscard]] bool divisor_access() const;
    [[nodiscard]] bool fifo_enabled() const;
    [[nodiscard]] bool loopback() const;
    [[nodiscard]] std::uint32_t trigger_level() const;
    [[nodiscard]] std::uint64_t timeout_ns() const;
    [[nodiscard]] std::uint8_t interrupt_identification() const;
    [[nodiscard]] std::uint8_t modem_lines() const;

    [[nodiscard]] std::uint8_t read_receiver();
    [[nodiscard]] std::uint8_t read_iir();
    [[nodiscard]] std::uint8_t read_lsr();
    [[nodiscard]] std::uint8_t read_msr();
    void write_transmitter(std::uint8_t value);
    void write_ier(std::uint8_t value);
    void write_fcr(std::uint8_t value);
    void write_mcr(std::uint8_t value);

    void receive(Received received);
    void pull_source();
    void transmit();
    void clear_receiver();
    void reveal_errors();
    void update_modem_status();
    void update_irq();

    const Clock& clock_;
    ByteSink& sink_;
    ByteSource& source_;
    Line& irq_;

    std::uint8_t ier_ = 0, fcr_ = 0, lcr_ = 0, mcr_ = 0, scr_ = 0;
    std::uint8_t lsr_errors_ = 0;
    std::uint8_t modem_lines_ = 0;  ///< MSR bits 7:4 at the last look
    std::uint8_t modem_deltas_ = 0; ///< MSR bits 3:0
    std::uint16_t divisor_;
    RingBuffer<Received, kFifoBytes> receiver_;
    RingBuffer<std::uint8_t, kFifoBytes> transmitter_;
    bool transmitter_empty_interrupt_ = false;
    bool timed_out_ = false;
    std::uint64_t last_receiver_activity_ns_ = 0;
};

} // namespace ringone::devices
