// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "devices/acpi/power_management.hpp"
#include "devices/base/byte_stream.hpp"
#include "devices/base/clock.hpp"
#include "devices/base/line.hpp"
#include "devices/bus/bus.hpp"
#include "devices/debug_exit/debug_console.hpp"
#include "devices/debug_exit/debug_exit.hpp"
#include "devices/i8042/i8042.hpp"
#include "devices/i8254/i8254.hpp"
#include "devices/i8259/i8259_pair.hpp"
#include "devices/mc146818/mc146818.hpp"
#include "devices/ns16550a/ns16550a.hpp"
#include "devices/pci/pci_configuration.hpp"
#include "devices/post_code/post_code.hpp"
#include "devices/reset/reset_control.hpp"
#include "devices/system_control/port_b.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <span>

namespace ringone::devices {

/// The world outside; all of it must outlive the platform.
struct PcEnvironment {
    std::uint64_t memory_bytes; ///< guest RAM, at most pc::kPciMemoryFirst
    const Clock& clock;
    const WallClock& wall_clock;
    ByteSink& serial_output;
    ByteSource& serial_input;
    ByteSink& debug_output;
};

/// What ends a machine, or starts it anew.
struct PcEvent {
    enum class Kind : std::uint8_t { kPowerOff, kReset, kDebugExit };
    Kind kind;
    std::uint32_t exit_code; ///< of kDebugExit, else 0

    friend bool operator==(const PcEvent&, const PcEvent&) = default;
};

/// The devices of a PC at their standard addresses. One thread drives it: port accesses as the guest makes them,
/// advance() at least at every next_deadline_ns(). A machine reset is a new PcPlatform.
class PcPlatform {
public:
    /// Writes bytes at a guest-physical address.
    using MemoryWriter = std::function<void(std::uint32_t, std::span<const std::uint8_t>)>;

    /// Throws std::invalid_argument when there is too much memory, std::logic_error when devices overlap.
    explicit PcPlatform(const PcEnvironment& environment);
    PcPlatform(const PcPlatform&) = delete;
    PcPlatform& operator=(const PcPlatform&) = delete;

    /// `size` is 1, 2 or 4 bytes.
    [[nodiscard]] std::uint32_t io_read(std::uint16_t port, std::uint32_t size);
    void io_write(std::uint16_t port, std::uint32_t size, std::uint32_t value);
    [[nodiscard]] std::uint32_t mmio_read(std::uint32_t address, std::uint32_t size);
    void mmio_write(std::uint32_t address, std::uint32_t size, std::uint32_t value);

    /// Virtual time of the next call of advance() that can matter. May have passed already.
    [[nodiscard]] Deadline next_deadline_ns() const;
    /// `now_ns` is what the clock shows, or has shown since the last call.
    void advance(std::uint64_t now_ns);

    /// The INTR line.
    [[nodiscard]] bool interrupt_pending() const { return intr_.level(); }
    /// The CPU's acknowledge cycle: the vector to deliver. Call it even when the request may have gone meanwhile.
    [[nodiscard]] std::uint8_t acknowledge_interrupt();

    /// An ending event that has happened; it stays. Of several, debug exit before power-off before reset.
    [[nodiscard]] std::optional<PcEvent> event() const;
    [[nodiscard]] bool a20_enabled() const { return keyboard_a20_.level() || fast_a20_.level(); }

    /// The serial source has bytes, or the sink has room again.
    void poll_serial() { com1_.poll(); }
    void send_serial_break() { com1_.receive_break(); }
    /// False: the keyboard did not take it.
    [[nodiscard]] bool key(KeyCode code, bool pressed) { return keyboard_.key(code, pressed); }
    void press_power_button() { power_management_.press_power_button(); }

    /// Puts the ACPI tables where an operating system looks for them.
    void build_acpi_tables(const MemoryWriter& write_memory) const;

    [[nodiscard]] const BusCounters& port_counters() const { return ports_.counters(); }
    [[nodiscard]] const BusCounters& mmio_counters() const { return mmio_.counters(); }
    [[nodiscard]] const TickCounters& tick_counters() const { return timer_.tick_line().counters(); }
    [[nodiscard]] std::uint64_t spurious_interrupts() const { return pics_.spurious(); }

private:
    /// A line that remembers that it has been high.
    class EventLine final : public Line {
    public:
        void set_level(bool high) override { seen_ = seen_ || high; }
        [[nodiscard]] bool seen() const { return seen_; }

    private:
        bool seen_ = false;
    };

    /// The ports under the PCI address register: the reset control register among them.
    class BeneathPciAddress final : public ByteRegisterBlock {
    public:
        explicit BeneathPciAddress(ResetControl& reset) : reset_(reset) {}
        [[nodiscard]] std::uint8_t read_byte(std::uint32_t offset) override;
        void write_byte(std::uint32_t offset, std::uint8_t value) override;

    private:
        ResetControl& reset_;
    };

    void attach_ports();
    void attach(const char* name, std::uint16_t first, std::uint16_t bytes, RegisterBlock& block,
                std::uint32_t first_register = 0);
    void set_up_power_management_function();

    Wire intr_, keyboard_a20_, fast_a20_;
    EventLine power_off_, reset_;

    I8259Pair pics_;
    I8254 timer_;
    SystemControlPortB system_control_b_;
    Mc146818 rtc_;
    Ns16550a com1_;
    I8042 keyboard_;
    ResetControl reset_control_;
    SystemControlPortA system_control_a_;
    PostCode post_code_;
    DebugExit debug_exit_;
    DebugConsole debug_console_;
    PowerManagement power_management_;
    PciFunction host_bridge_, isa_bridge_, power_management_function_;
    BeneathPciAddress beneath_pci_address_;
    PciConfiguration pci_;

    Bus ports_{Bus::kPortSpaceBytes};
    Bus mmio_{Bus::kPhysicalSpaceBytes};
};

} // namespace ringone::devices
