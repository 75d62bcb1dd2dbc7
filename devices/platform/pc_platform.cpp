// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "devices/platform/pc_platform.hpp"

#include "devices/acpi/acpi_tables.hpp"
#include "devices/mc146818/registers.hpp"
#include "devices/platform/pc_layout.hpp"

#include <stdexcept>

namespace ringone::devices {

namespace {

constexpr std::uint16_t kIntel = 0x8086;
constexpr PciIdentity kI440fx{kIntel, 0x1237, 2, 0x06'0000, false};
constexpr PciIdentity kPiix4IsaBridge{kIntel, 0x7110, 2, 0x06'0100, true};
constexpr PciIdentity kPiix4PowerManagement{kIntel, 0x7113, 3, 0x06'8000, true};

/// PIIX4 function 3 (82371AB, 7.1): where the power management ports are, and that they are decoded.
constexpr std::uint32_t kPmBase = 0x40;
constexpr std::uint8_t kPmBaseIsIo = 0x01;
constexpr std::uint32_t kPmRegisterMiscellaneous = 0x80;
constexpr std::uint8_t kPmIoSpaceEnable = 0x01;

constexpr unsigned kInputsPerPic = I8259Pair::kInputs / 2;

} // namespace

std::uint8_t PcPlatform::BeneathPciAddress::read_byte(std::uint32_t offset) {
    return offset == pc::kResetControlPort - pc::kPciAddressPort ? reset_.read_byte(0) : low_byte(all_ones(1));
}

void PcPlatform::BeneathPciAddress::write_byte(std::uint32_t offset, std::uint8_t value) {
    if (offset == pc::kResetControlPort - pc::kPciAddressPort) {
        reset_.write_byte(0, value);
    }
}

PcPlatform::PcPlatform(const PcEnvironment& environment)
    : pics_(intr_), timer_(environment.clock, pics_.input(pc::kTimerIrq)),
      system_control_b_(environment.clock, timer_),
      rtc_(environment.clock, environment.wall_clock, pics_.input(pc::kRtcIrq)),
      com1_(environment.clock, environment.serial_output, environment.serial_input, pics_.input(pc::kCom1Irq)),
      keyboard_(I8042Lines{pics_.input(pc::kKeyboardIrq), reset_, keyboard_a20_}), reset_control_(reset_),
      system_control_a_(reset_, fast_a20_), debug_console_(environment.debug_output),
      power_management_(environment.clock, pics_.input(pc::kSciIrq), power_off_), host_bridge_(kI440fx),
      isa_bridge_(kPiix4IsaBridge), power_management_function_(kPiix4PowerManagement),
      beneath_pci_address_(reset_control_), pci_(beneath_pci_address_) {
    if (environment.memory_bytes > pc::kPciMemoryFirst) {
        throw std::invalid_argument("guest memory reaches into the addresses of PCI devices");
    }
    rtc_.set_memory_size(environment.memory_bytes);
    set_up_power_management_function();
    pci_.plug(pc::kHostBridgeDevice, 0, host_bridge_);
    pci_.plug(pc::kIsaBridgeDevice, pc::kIsaBridgeFunction, isa_bridge_);
    pci_.plug(pc::kIsaBridgeDevice, pc::kPowerManagementFunction, power_management_function_);
    // As firmware leaves it: the SCI is shared and level-triggered.
    pics_.elcr().write(pc::kSciIrq / kInputsPerPic, 1, 1U << pc::kSciIrq % kInputsPerPic);
    attach_ports();
}

void PcPlatform::set_up_power_management_function() {
    const std::uint16_t port = pc::kPowerManagementPort;
    power_management_function_.set_byte(kPmBase, byte_of(port, 0) | kPmBaseIsIo);
    power_management_function_.set_byte(kPmBase + 1, byte_of(port, 1));
    power_management_function_.set_byte(kPmRegisterMiscellaneous, kPmIoSpaceEnable);
    power_management_function_.set_byte(PciFunction::kInterruptLine, pc::kSciIrq, low_byte(all_ones(1)));
}

void PcPlatform::attach(const char* name, std::uint16_t first, std::uint16_t bytes, RegisterBlock& block,
                        std::uint32_t first_register) {
    if (const auto error = ports_.attach(name, first, bytes, block, first_register)) {
        throw std::logic_error(*error);
    }
}

void PcPlatform::attach_ports() {
    attach("master 8259A", pc::kMasterPicPort, pc::kPicPorts, pics_.master());
    attach("slave 8259A", pc::kSlavePicPort, pc::kPicPorts, pics_.slave());
    attach("ELCR", pc::kElcrPort, pc::kElcrPorts, pics_.elcr());
    attach("8254", pc::kTimerPort, pc::kTimerPorts, timer_);
    attach("8042 data", pc::kKeyboardDataPort, 1, keyboard_, I8042::kData);
    attach("8042 command", pc::kKeyboardCommandPort, 1, keyboard_, I8042::kStatusCommand);
    attach("system control B", pc::kSystemControlBPort, 1, system_control_b_);
    attach("system control A", pc::kSystemControlAPort, 1, system_control_a_);
    attach("MC146818", pc::kRtcPort, pc::kRtcPorts, rtc_);
    attach("POST code", pc::kPostCodePort, 1, post_code_);
    attach("debug console", pc::kDebugConsolePort, 1, debug_console_);
    attach("debug exit", pc::kDebugExitPort, pc::kDebugExitPorts, debug_exit_);
    attach("COM1", pc::kCom1Port, pc::kComPorts, com1_);
    attach("PCI address", pc::kPciAddressPort, pc::kPciRegisterPorts, pci_.address_register());
    attach("PCI data", pc::kPciDataPort, pc::kPciRegisterPorts, pci_.data_register());
    attach("power management", pc::kPowerManagementPort, PowerManagement::kBytes, power_management_);
}

std::uint32_t PcPlatform::io_read(std::uint16_t port, std::uint32_t size) {
    return ports_.read(port, size);
}

void PcPlatform::io_write(std::uint16_t port, std::uint32_t size, std::uint32_t value) {
    ports_.write(port, size, value);
}

std::uint32_t PcPlatform::mmio_read(std::uint32_t address, std::uint32_t size) {
    return mmio_.read(address, size);
}

void PcPlatform::mmio_write(std::uint32_t address, std::uint32_t size, std::uint32_t value) {
    mmio_.write(address, size, value);
}

Deadline PcPlatform::next_deadline_ns() const {
    return earlier_of(earlier_of(timer_.next_deadline_ns(), rtc_.next_deadline_ns()),
                      earlier_of(com1_.next_deadline_ns(), power_management_.next_deadline_ns()));
}

void PcPlatform::advance(std::uint64_t now_ns) {
    timer_.advance(now_ns);
    rtc_.advance(now_ns);
    com1_.advance(now_ns);
    power_management_.advance(now_ns);
}

std::uint8_t PcPlatform::acknowledge_interrupt() {
    return pics_.acknowledge();
}

std::optional<PcEvent> PcPlatform::event() const {
    if (const auto code = debug_exit_.exit_code()) {
        return PcEvent{PcEvent::Kind::kDebugExit, *code};
    }
    if (power_off_.seen()) {
        return PcEvent{PcEvent::Kind::kPowerOff, 0};
    }
    return reset_.seen() ? std::optional(PcEvent{PcEvent::Kind::kReset, 0}) : std::nullopt;
}

void PcPlatform::build_acpi_tables(const MemoryWriter& write_memory) const {
    write_memory(pc::kAcpiTablesAddress,
                 devices::build_acpi_tables({
                     .tables_address = pc::kAcpiTablesAddress,
                     .power_management_port = pc::kPowerManagementPort,
                     .sci_irq = pc::kSciIrq,
                     .cmos_century_index = rtc::kCmosCentury,
                     .pci_configuration_port = pc::kPciAddressPort,
                     .pci_memory_first = pc::kPciMemoryFirst,
                     .pci_memory_last = pc::kPciMemoryLast,
                 }));
}

} // namespace ringone::devices
