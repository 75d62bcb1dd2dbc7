// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include <cstdint>

/// Every address and interrupt line of the PC, and nowhere else (82371AB chapter 3; IBM PC/AT technical reference).
namespace ringone::devices::pc {

inline constexpr std::uint16_t kMasterPicPort = 0x20;
inline constexpr std::uint16_t kPicPorts = 2;
inline constexpr std::uint16_t kTimerPort = 0x40;
inline constexpr std::uint16_t kTimerPorts = 4;
inline constexpr std::uint16_t kKeyboardDataPort = 0x60;
inline constexpr std::uint16_t kSystemControlBPort = 0x61;
inline constexpr std::uint16_t kKeyboardCommandPort = 0x64;
inline constexpr std::uint16_t kRtcPort = 0x70;
inline constexpr std::uint16_t kRtcPorts = 2;
inline constexpr std::uint16_t kPostCodePort = 0x80;
inline constexpr std::uint16_t kSystemControlAPort = 0x92;
inline constexpr std::uint16_t kSlavePicPort = 0xA0;
inline constexpr std::uint16_t kDebugConsolePort = 0xE9;
inline constexpr std::uint16_t kDebugExitPort = 0xF4;
inline constexpr std::uint16_t kDebugExitPorts = 4;
inline constexpr std::uint16_t kCom1Port = 0x3F8;
inline constexpr std::uint16_t kComPorts = 8;
inline constexpr std::uint16_t kElcrPort = 0x4D0;
inline constexpr std::uint16_t kElcrPorts = 2;
inline constexpr std::uint16_t kPciAddressPort = 0xCF8;
inline constexpr std::uint16_t kResetControlPort = 0xCF9; ///< beneath the PCI address register
inline constexpr std::uint16_t kPciDataPort = 0xCFC;
inline constexpr std::uint16_t kPciRegisterPorts = 4;
inline constexpr std::uint16_t kPowerManagementPort = 0xB000;

inline constexpr unsigned kTimerIrq = 0;
inline constexpr unsigned kKeyboardIrq = 1;
inline constexpr unsigned kCom1Irq = 4;
inline constexpr unsigned kRtcIrq = 8;
inline constexpr unsigned kSciIrq = 9;

inline constexpr std::uint32_t kHostBridgeDevice = 0;
inline constexpr std::uint32_t kIsaBridgeDevice = 1;
inline constexpr std::uint32_t kIsaBridgeFunction = 0;
inline constexpr std::uint32_t kPowerManagementFunction = 3;

/// The firmware area. The caller gives its range as reserved in the memory map: tables lie in it.
inline constexpr std::uint32_t kFirmwareFirst = 0xE'0000;
inline constexpr std::uint32_t kFirmwareLast = 0xF'FFFF;
inline constexpr std::uint32_t kAcpiTablesAddress = 0xF'0000;
/// Addresses for PCI devices; RAM ends below.
inline constexpr std::uint32_t kPciMemoryFirst = 0xE000'0000;
inline constexpr std::uint32_t kPciMemoryLast = 0xFEBF'FFFF;

} // namespace ringone::devices::pc
