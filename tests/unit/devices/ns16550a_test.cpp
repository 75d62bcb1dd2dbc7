// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "devices/ns16550a/ns16550a.hpp"
#include "tests/unit/devices/fakes.hpp"

namespace ringone::devices {
namespace {

enum : std::uint32_t { kData = 0, kDll = 0, kIer = 1, kDlm = 1, kIir = 2, kFcr = 2, kLcr = 3, kMcr = 4, kLsr = 5, kMsr = 6, kScr = 7 };
constexpr std::uint8_t kThri = 2, kRdi = 1, kRlsi = 4, kMsi = 8;

/// The register sequences are those of Linux's drivers/tty/serial/8250/8250_port.c.
struct Uart : testing::Test {
    FakeClock clock;
    FakeSink sink;
    FakeSource source;
    FakeLine irq;
    Ns16550a uart{clock, sink, source, irq};

    void write(std::uint32_t offset, std::uint32_t value) { uart.write(offset, 1, value); }
    std::uint8_t read(std::uint32_t offset) { return static_cast<std::uint8_t>(uart.read(offset, 1)); }
    /// As a started port: 8 bits, FIFO on, OUT2 on.
    void start(std::uint8_t ier, std::uint8_t fcr = 0x81) {
        write(kLcr, 0x03);
        write(kFcr, fcr);
        write(kMcr, 0x0B);
        read(kMsr);
        write(kIer, ier);
    }
    void receive(const std::string& text) {
        source.type(text);
        uart.poll();
    }
};

TEST_F(Uart, AutoconfigFindsA16550A) {
    write(kIer, 0);
    EXPECT_EQ(read(kIer) & 0x0F, 0);
    write(kIer, 0x0F);
    EXPECT_EQ(read(kIer) & 0x0F, 0x0F);
    write(kIer, 0xFF);
    EXPECT_EQ(read(kIer), 0x0F) << "no UUE bit: not an XScale";
    write(kIer, 0);

    write(kMcr, 0x1A); // loopback, OUT2, RTS
    EXPECT_EQ(read(kMsr) & 0xF0, 0x90);
    write(kMcr, 0);

    write(kLcr, 0xBF); // the EFR of a 16650 would be at 2 now
    write(kFcr, 0);
    write(kLcr, 0);
    write(kFcr, 1);
    EXPECT_EQ(read(kIir) >> 6, 3) << "FIFO that works";
    write(kLcr, 0xBF);
    EXPECT_NE(read(kIir), 0) << "no EFR: not a 16650";
    write(kLcr, 0);
    write(kMcr, 0);
    const std::uint8_t mcr = read(kMcr);
    write(kLcr, 0xE0); // the National super I/O's bank with EXCR1
    EXPECT_EQ((read(kIir) ^ mcr) & 0x10, 0);
    write(kLcr, 0);
    write(kMcr, mcr ^ 0x10U);
    write(kLcr, 0xE0);
    EXPECT_EQ((read(kIir) ^ mcr) & 0x10, 0) << "a mirror of MCR's loopback bit would be a NS16550 super I/O";
    write(kLcr, 0);
    write(kMcr, mcr);
    write(kFcr, 0x21);
    EXPECT_EQ(read(kIir) >> 5, 6) << "no 64-byte FIFO bit: not a 16750";
    write(kFcr, 1);
    write(kScr, 0x5A);
    EXPECT_EQ(read(kScr), 0x5A);
}

TEST_F(Uart, FifoSizeMeasuredByLoopbackIs16) {
    write(kFcr, 0x07);
    write(kMcr, 0x10);
    write(kLcr, 0x83);
    write(kDll, 1);
    write(kDlm, 0);
    write(kLcr, 0x03);
    for (unsigned i = 0; i < 256; ++i) write(kData, i);
    unsigned count = 0;
    for (; (read(kLsr) & 1U) != 0 && count < 256; ++count) { EXPECT_EQ(read(kData), count); }
    EXPECT_EQ(count, 16U);
    EXPECT_EQ(sink.text, "") << "what loops back does not leave";
}

TEST_F(Uart, DivisorLatchHidesBehindDlab) {
    write(kLcr, 0x83);
    write(kDll, 0x34);
    write(kDlm, 0x12);
    EXPECT_EQ(read(kDll), 0x34);
    EXPECT_EQ(read(kDlm), 0x12);
    write(kLcr, 0x03);
    EXPECT_EQ(read(kIer), 0);
    write(kData, 'x');
    EXPECT_EQ(sink.text, "x");
}

TEST_F(Uart, NoTransmitterBugWouldBeFound) {
    // serial8250_do_startup: IER.THRI with an empty transmitter must interrupt each time it is set anew.
    start(0);
    write(kIer, kThri);
    EXPECT_EQ(read(kIir) & 0x0F, 0x02);
    EXPECT_EQ(read(kIir) & 0x0F, 0x01) << "reading IIR has reset it";
    write(kIer, 0);
    write(kIer, kThri);
    EXPECT_EQ(read(kIir) & 0x0F, 0x02);
    write(kIer, 0);
    write(kIer, kThri);
    EXPECT_EQ(read(kLsr) & 0x60, 0x60);
    EXPECT_EQ(read(kIir) & 0x0F, 0x02) << "else UART_BUG_TXEN";
}

TEST_F(Uart, TransmissionInterruptsAgainWithAnEdge) {
    start(kThri);
    for (const char c : std::string("hello")) {
        const unsigned before = irq.rising;
        EXPECT_EQ(read(kIir) & 0x0F, 0x02);
        EXPECT_FALSE(irq.high);
        write(kData, static_cast<std::uint8_t>(c));
        EXPECT_EQ(irq.rising, before + 1) << c;
    }
    EXPECT_EQ(sink.text, "hello");
}

TEST_F(Uart, ASinkThatIsFullHoldsTheTransmitter) {
    start(0);
    sink.full = true;
    for (unsigned i = 0; i < 16; ++i) write(kData, 'a' + i);
    EXPECT_EQ(read(kLsr) & 0x60, 0);
    write(kIer, kThri);
    EXPECT_FALSE(irq.high);
    sink.full = false;
    uart.poll();
    EXPECT_EQ(sink.text, "abcdefghijklmnop");
    EXPECT_TRUE(irq.high);
    EXPECT_EQ(read(kLsr) & 0x60, 0x60);
}

TEST_F(Uart, ReceiverInterruptsAtItsTriggerLevel) {
    start(kRdi, 0x81); // 8 bytes
    receive("1234567");
    EXPECT_FALSE(irq.high);
    EXPECT_EQ(read(kLsr) & 1, 1);
    receive("8");
    EXPECT_TRUE(irq.high);
    EXPECT_EQ(read(kIir), 0xC4);
    std::string got;
    while ((read(kLsr) & 1) != 0) got.push_back(static_cast<char>(read(kData)));
    EXPECT_EQ(got, "12345678");
    EXPECT_FALSE(irq.high);
}

TEST_F(Uart, FewBytesInterruptByTheCharacterTimeout) {
    start(kRdi, 0x81);
    write(kLcr, 0x83);
    write(kDll, 1); // 115200: four characters of 10 bits are 347 us
    write(kDlm, 0);
    write(kLcr, 0x03);
    receive("ok");
    const Deadline deadline = uart.next_deadline_ns();
    ASSERT_TRUE(deadline);
    EXPECT_NEAR(static_cast<double>(*deadline), 347'222, 10);
    clock.ns = *deadline - 1;
    uart.advance(clock.ns);
    EXPECT_FALSE(irq.high);
    clock.ns = *deadline;
    uart.advance(clock.ns);
    EXPECT_TRUE(irq.high);
    EXPECT_EQ(read(kIir), 0xCC);
    EXPECT_FALSE(uart.next_deadline_ns()) << "it has timed out already";
    EXPECT_EQ(read(kData), 'o');
    EXPECT_FALSE(irq.high);
    EXPECT_TRUE(uart.next_deadline_ns()) << "one byte is left";
}

TEST_F(Uart, WithoutFifoEachByteInterrupts) {
    start(kRdi, 0);
    receive("ab");
    EXPECT_EQ(read(kIir), 0x04);
    EXPECT_EQ(irq.rising, 1U);
    EXPECT_EQ(read(kData), 'a');
    EXPECT_EQ(irq.rising, 2U) << "the next byte comes with an edge of its own";
    EXPECT_EQ(read(kData), 'b');
    EXPECT_FALSE(irq.high);
}

TEST_F(Uart, NothingIsLostWhenTheGuestIsSlow) {
    start(0);
    std::string text;
    for (unsigned i = 0; i < 1000; ++i) text.push_back(static_cast<char>('!' + i % 90));
    receive(text);
    std::string got;
    while ((read(kLsr) & 1) != 0) got.push_back(static_cast<char>(read(kData)));
    EXPECT_EQ(got, text);
    EXPECT_EQ(read(kLsr) & 0x1E, 0);
}

TEST_F(Uart, BreakIsALineStatusOfItsByte) {
    start(kRdi | kRlsi, 0x01);
    receive("x");
    uart.receive_break();
    EXPECT_EQ(read(kIir), 0xC4) << "the break is not at the top yet";
    EXPECT_EQ(read(kLsr), 0xE1) << "but an error is in the FIFO";
    EXPECT_EQ(read(kData), 'x');
    EXPECT_EQ(read(kIir), 0xC6);
    EXPECT_EQ(read(kLsr) & 0x10, 0x10);
    EXPECT_EQ(read(kLsr) & 0x10, 0) << "reading resets it";
    EXPECT_EQ(read(kData), 0);
}

TEST_F(Uart, OverrunIsReported) {
    start(kRlsi, 0x01);
    write(kMcr, 0x1B);
    for (unsigned i = 0; i < 17; ++i) write(kData, i);
    EXPECT_EQ(read(kLsr) & 0x02, 0x02);
    for (unsigned i = 0; i < 16; ++i) { EXPECT_EQ(read(kData), i); }
    EXPECT_EQ(read(kLsr) & 1, 0);
}

TEST_F(Uart, ModemLinesAreThoseOfAReadyPeer) {
    EXPECT_EQ(read(kMsr), 0xB0) << "CTS, DSR, DCD, and no delta at power-on";
    start(kMsi);
    write(kMcr, 0x1B); // the loop takes DSR, CTS and DCD from DTR, RTS and OUT2: no change
    EXPECT_EQ(read(kMsr), 0xB0);
    write(kMcr, 0x1F);
    EXPECT_EQ(read(kMsr), 0xF0) << "RI counts at its trailing edge";
    write(kMcr, 0x1B);
    EXPECT_EQ(read(kMsr), 0xB4);
    write(kMcr, 0x10);
    EXPECT_EQ(read(kIir) & 0x0F, 0x00);
    EXPECT_EQ(read(kMsr), 0x0B);
    EXPECT_EQ(read(kMsr), 0x00);
}

TEST_F(Uart, Out2GatesTheInterrupt) {
    start(kThri);
    EXPECT_TRUE(irq.high);
    write(kMcr, 0x03);
    EXPECT_FALSE(irq.high);
    EXPECT_EQ(read(kIir) & 0x0F, 0x02) << "the source is there nevertheless";
}

TEST_F(Uart, PrioritiesOfTheSources) {
    start(0x0F, 0x01);
    write(kMcr, 0x0A); // DTR off: seen by nobody, the peer's lines stay
    uart.receive_break();
    receive("z");
    EXPECT_EQ(read(kIir), 0xC6);
    read(kLsr);
    EXPECT_EQ(read(kIir), 0xC4);
    read(kData);
    read(kData);
    EXPECT_EQ(read(kIir), 0xC2);
    EXPECT_EQ(read(kIir), 0xC1);
}

TEST_F(Uart, FcrClearsFifos) {
    start(0, 0x01);
    receive("abc");
    write(kFcr, 0x03);
    EXPECT_EQ(read(kLsr) & 1, 0);
    sink.full = true;
    write(kData, 'q');
    write(kFcr, 0x05);
    EXPECT_EQ(read(kLsr) & 0x60, 0x60);
    sink.full = false;
    uart.poll();
    EXPECT_EQ(sink.text, "");
}

TEST_F(Uart, LoopbackCutsToTheWordLength) {
    start(0, 0x01);
    write(kLcr, 0x00); // 5 bits
    write(kMcr, 0x10);
    write(kData, 0xFF);
    EXPECT_EQ(read(kData), 0x1F);
}

} // namespace
} // namespace ringone::devices
