// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "devices/ns16550a/ns16550a.hpp"

#include <array>

namespace ringone::devices {

namespace {

/// Register offsets.
enum Register : std::uint32_t {
    kRbrThrDll = 0,
    kIerDlm = 1,
    kIirFcr = 2,
    kLcr = 3,
    kMcr = 4,
    kLsr = 5,
    kMsr = 6,
    kScr = 7,
};

constexpr std::uint8_t kIerReceivedData = 0x01;
constexpr std::uint8_t kIerTransmitterEmpty = 0x02;
constexpr std::uint8_t kIerLineStatus = 0x04;
constexpr std::uint8_t kIerModemStatus = 0x08;
constexpr std::uint8_t kIerWritable = 0x0F;

constexpr std::uint8_t kIirModemStatus = 0x00;
constexpr std::uint8_t kIirNone = 0x01;
constexpr std::uint8_t kIirTransmitterEmpty = 0x02;
constexpr std::uint8_t kIirReceivedData = 0x04;
constexpr std::uint8_t kIirLineStatus = 0x06;
constexpr std::uint8_t kIirCharacterTimeout = 0x0C;
constexpr std::uint8_t kIirFifosEnabled = 0xC0;

constexpr std::uint8_t kFcrEnable = 0x01;
constexpr std::uint8_t kFcrClearReceiver = 0x02;
constexpr std::uint8_t kFcrClearTransmitter = 0x04;
constexpr std::uint8_t kFcrKept = 0xC9; ///< trigger level, DMA mode, enable

constexpr std::uint8_t kLcrWordLength = 0x03;
constexpr std::uint8_t kLcrStopBits = 0x04;
constexpr std::uint8_t kLcrParity = 0x08;
constexpr std::uint8_t kLcrDivisorAccess = 0x80;

constexpr std::uint8_t kMcrDtr = 0x01;
constexpr std::uint8_t kMcrRts = 0x02;
constexpr std::uint8_t kMcrOut1 = 0x04;
constexpr std::uint8_t kMcrOut2 = 0x08;
constexpr std::uint8_t kMcrLoopback = 0x10;
constexpr std::uint8_t kMcrWritable = 0x1F;

constexpr std::uint8_t kLsrDataReady = 0x01;
constexpr std::uint8_t kLsrOverrun = 0x02;
constexpr std::uint8_t kLsrBreak = 0x10;
constexpr std::uint8_t kLsrCharacterErrors = 0x1C; ///< parity, framing, break
constexpr std::uint8_t kLsrTransmitterHoldingEmpty = 0x20;
constexpr std::uint8_t kLsrTransmitterEmpty = 0x40;
constexpr std::uint8_t kLsrFifoError = 0x80;

constexpr std::uint8_t kMsrCts = 0x10;
constexpr std::uint8_t kMsrDsr = 0x20;
constexpr std::uint8_t kMsrRi = 0x40;
constexpr std::uint8_t kMsrDcd = 0x80;
constexpr std::uint32_t kMsrDeltaShift = 4;
constexpr std::uint8_t kMsrTrailingEdgeRi = 0x04;

constexpr std::uint64_t kBaudBaseHz = 115'200; ///< 1.8432 MHz by 16
constexpr std::uint16_t kDivisor9600 = 12;
constexpr std::uint64_t kTimeoutCharacters = 4;
constexpr std::uint64_t kShortestWord = 5;

} // namespace

Ns16550a::Ns16550a(const Clock& clock, ByteSink& sink, ByteSource& source, Line& irq)
    : clock_(clock), sink_(sink), source_(source), irq_(irq), divisor_(kDivisor9600) {
    modem_lines_ = modem_lines();
}

bool Ns16550a::divisor_access() const {
    return (lcr_ & kLcrDivisorAccess) != 0;
}

bool Ns16550a::fifo_enabled() const {
    return (fcr_ & kFcrEnable) != 0;
}

bool Ns16550a::loopback() const {
    return (mcr_ & kMcrLoopback) != 0;
}

std::uint32_t Ns16550a::trigger_level() const {
    constexpr std::array<std::uint32_t, 4> kLevels{1, 4, 8, 14};
    return fifo_enabled() ? kLevels[fcr_ >> 6U] : 1;
}

std::uint64_t Ns16550a::timeout_ns() const {
    const std::uint64_t bits = 1 + kShortestWord + (lcr_ & kLcrWordLength) + ((lcr_ & kLcrParity) != 0 ? 1 : 0) +
                               ((lcr_ & kLcrStopBits) != 0 ? 2 : 1);
    const std::uint64_t divisor = divisor_ == 0 ? 1 : divisor_;
    return kTimeoutCharacters * bits * divisor * kNanosecondsPerSecond / kBaudBaseHz;
}

std::uint8_t Ns16550a::modem_lines() const {
    if (!loopback()) {
        return kMsrCts | kMsrDsr | kMsrDcd;
    }
    return low_byte(((mcr_ & kMcrRts) != 0 ? kMsrCts : 0U) | ((mcr_ & kMcrDtr) != 0 ? kMsrDsr : 0U) |
                    ((mcr_ & kMcrOut1) != 0 ? kMsrRi : 0U) | ((mcr_ & kMcrOut2) != 0 ? kMsrDcd : 0U));
}

void Ns16550a::update_modem_status() {
    const std::uint8_t lines = modem_lines();
    std::uint32_t changed = static_cast<std::uint32_t>(lines ^ modem_lines_) >> kMsrDeltaShift;
    if ((lines & kMsrRi) != 0) { // only RI's trailing edge counts
        changed &= ~static_cast<std::uint32_t>(kMsrTrailingEdgeRi);
    }
    modem_deltas_ |= low_byte(changed);
    modem_lines_ = lines;
}

std::uint8_t Ns16550a::interrupt_identification() const {
    if ((ier_ & kIerLineStatus) != 0 && lsr_errors_ != 0) {
        return kIirLineStatus;
    }
    if ((ier_ & kIerReceivedData) != 0) {
        if (receiver_.size() >= trigger_level()) {
            return kIirReceivedData;
        }
        if (timed_out_) {
            return kIirCharacterTimeout;
        }
    }
    if ((ier_ & kIerTransmitterEmpty) != 0 && transmitter_empty_interrupt_) {
        return kIirTransmitterEmpty;
    }
    if ((ier_ & kIerModemStatus) != 0 && modem_deltas_ != 0) {
        return kIirModemStatus;
    }
    return kIirNone;
}

void Ns16550a::update_irq() {
    const bool gated = (mcr_ & kMcrOut2) != 0 && !loopback(); // loopback forces the OUT2 pin inactive
    irq_.set_level(gated && interrupt_identification() != kIirNone);
}

void Ns16550a::reveal_errors() {
    // The errors of a character show when it comes to the top of the FIFO.
    if (!receiver_.empty()) {
        lsr_errors_ |= receiver_.front().errors;
        receiver_.front().errors = 0;
    }
}

void Ns16550a::receive(Received received) {
    const std::size_t capacity = fifo_enabled() ? kFifoBytes : 1;
    if (receiver_.size() < capacity && receiver_.push(received)) {
        last_receiver_activity_ns_ = clock_.now_ns();
        if (receiver_.size() == 1) {
            reveal_errors();
        }
        return;
    }
    lsr_errors_ |= kLsrOverrun;
    if (!fifo_enabled()) {
        receiver_.back() = received; // a FIFO keeps its bytes, the lone register is overwritten
    }
}

void Ns16550a::pull_source() {
    const std::size_t capacity = fifo_enabled() ? kFifoBytes : 1;
    while (!loopback() && receiver_.size() < capacity) {
        const std::optional<std::uint8_t> byte = source_.get();
        if (!byte) {
            return;
        }
        receive({*byte, 0});
    }
}

void Ns16550a::transmit() {
    if (transmitter_.empty()) {
        return;
    }
    while (!transmitter_.empty() && !loopback() && sink_.put(transmitter_.front())) {
        transmitter_.pop();
    }
    if (loopback()) {
        const std::uint32_t word = all_ones(1) >> (3U - (lcr_ & kLcrWordLength));
        while (!transmitter_.empty()) {
            receive({low_byte(transmitter_.pop() & word), 0});
        }
    }
    transmitter_empty_interrupt_ = transmitter_empty_interrupt_ || transmitter_.empty();
}

void Ns16550a::poll() {
    pull_source();
    transmit();
    update_irq();
}

void Ns16550a::receive_break() {
    if (!loopback()) {
        receive({0, kLsrBreak});
        update_irq();
    }
}

Deadline Ns16550a::next_deadline_ns() const {
    const bool running = fifo_enabled() && (ier_ & kIerReceivedData) != 0 && !timed_out_ && !receiver_.empty() &&
                         receiver_.size() < trigger_level();
    return running ? Deadline(last_receiver_activity_ns_ + timeout_ns()) : std::nullopt;
}

void Ns16550a::advance(std::uint64_t now_ns) {
    poll();
    if (fifo_enabled() && !receiver_.empty() && now_ns >= last_receiver_activity_ns_ + timeout_ns()) {
        timed_out_ = true;
        update_irq();
    }
}

void Ns16550a::clear_receiver() {
    receiver_.clear();
    timed_out_ = false;
    lsr_errors_ &= kLsrOverrun;
}

std::uint8_t Ns16550a::read_receiver() {
    std::uint8_t byte = 0;
    if (!receiver_.empty()) {
        byte = receiver_.pop().byte;
        reveal_errors();
    }
    timed_out_ = false;
    last_receiver_activity_ns_ = clock_.now_ns();
    update_irq(); // the line falls before the next byte raises it: the 8259 wants an edge
    pull_source();
    return byte;
}

std::uint8_t Ns16550a::read_iir() {
    const std::uint8_t identification = interrupt_identification();
    if (identification == kIirTransmitterEmpty) {
        transmitter_empty_interrupt_ = false;
    }
    return low_byte(identification | (fifo_enabled() ? kIirFifosEnabled : 0U));
}

std::uint8_t Ns16550a::read_lsr() {
    const bool error_in_fifo =
        fifo_enabled() && ((lsr_errors_ & kLsrCharacterErrors) != 0 ||
                           receiver_.any_of([](const Received& received) { return received.errors != 0; }));
    const std::uint8_t value =
        low_byte((receiver_.empty() ? 0U : kLsrDataReady) | lsr_errors_ |
                 (transmitter_.empty() ? kLsrTransmitterHoldingEmpty | kLsrTransmitterEmpty : 0U) |
                 (error_in_fifo ? kLsrFifoError : 0U));
    lsr_errors_ = 0;
    return value;
}

std::uint8_t Ns16550a::read_msr() {
    const std::uint8_t value = low_byte(modem_lines_ | modem_deltas_);
    modem_deltas_ = 0;
    return value;
}

std::uint8_t Ns16550a::read_byte(std::uint32_t offset) {
    advance(clock_.now_ns());
    std::uint8_t value = 0;
    switch (offset) {
    case kRbrThrDll:
        value = divisor_access() ? byte_of(divisor_, 0) : read_receiver();
        break;
    case kIerDlm:
        value = divisor_access() ? byte_of(divisor_, 1) : ier_;
        break;
    case kIirFcr:
        value = read_iir();
        break;
    case kLcr:
        value = lcr_;
        break;
    case kMcr:
        value = mcr_;
        break;
    case kLsr:
        value = read_lsr();
        break;
    case kMsr:
        value = read_msr();
        break;
    default:
        value = scr_;
        break;
    }
    update_irq();
    return value;
}

void Ns16550a::write_transmitter(std::uint8_t value) {
    transmitter_empty_interrupt_ = false;
    update_irq();
    const std::size_t capacity = fifo_enabled() ? kFifoBytes : 1;
    if (transmitter_.size() < capacity) {
        static_cast<void>(transmitter_.push(value));
    } else if (!fifo_enabled()) {
        transmitter_.back() = value; // written without waiting for THRE: the register is overwritten
    }
    transmit();
}

void Ns16550a::write_ier(std::uint8_t value) {
    const bool enabling = (value & static_cast<unsigned>(~ier_) & kIerTransmitterEmpty) != 0;
    ier_ = value & kIerWritable;
    if (enabling && transmitter_.empty()) {
        transmitter_empty_interrupt_ = true;
    }
}

void Ns16550a::write_fcr(std::uint8_t value) {
    const bool toggled = ((value ^ fcr_) & kFcrEnable) != 0;
    const bool enable = (value & kFcrEnable) != 0;
    if (toggled || (enable && (value & kFcrClearReceiver) != 0)) {
        clear_receiver();
    }
    if ((toggled || (enable && (value & kFcrClearTransmitter) != 0)) && !transmitter_.empty()) {
        transmitter_.clear();
        transmitter_empty_interrupt_ = true;
    }
    fcr_ = enable ? value & kFcrKept : std::uint8_t{0}; // the other bits need the enable bit
}

void Ns16550a::write_mcr(std::uint8_t value) {
    mcr_ = value & kMcrWritable;
    update_modem_status();
}

void Ns16550a::write_byte(std::uint32_t offset, std::uint8_t value) {
    advance(clock_.now_ns());
    switch (offset) {
    case kRbrThrDll:
        if (divisor_access()) {
            divisor_ = low_word((divisor_ & 0xFF00U) | value);
        } else {
            write_transmitter(value);
        }
        break;
    case kIerDlm:
        if (divisor_access()) {
            divisor_ = low_word((divisor_ & 0x00FFU) | static_cast<std::uint32_t>(value) << 8U);
        } else {
            write_ier(value);
        }
        break;
    case kIirFcr:
        write_fcr(value);
        break;
    case kLcr:
        lcr_ = value;
        break;
    case kMcr:
        write_mcr(value);
        break;
    case kScr:
        scr_ = value;
        break;
    default: // LSR and MSR are read-only to programs
        break;
    }
    poll();
}

} // namespace ringone::devices
