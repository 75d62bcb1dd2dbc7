// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include <cstdint>

/// Register numbers and bits of the MC146818 and of the PC's CMOS layout.
namespace ringone::devices::rtc {

inline constexpr std::uint32_t kSeconds = 0x00;
inline constexpr std::uint32_t kSecondsAlarm = 0x01;
inline constexpr std::uint32_t kMinutes = 0x02;
inline constexpr std::uint32_t kMinutesAlarm = 0x03;
inline constexpr std::uint32_t kHours = 0x04;
inline constexpr std::uint32_t kHoursAlarm = 0x05;
inline constexpr std::uint32_t kDayOfWeek = 0x06;
inline constexpr std::uint32_t kDayOfMonth = 0x07;
inline constexpr std::uint32_t kMonth = 0x08;
inline constexpr std::uint32_t kYear = 0x09;
inline constexpr std::uint32_t kRegisterA = 0x0A;
inline constexpr std::uint32_t kRegisterB = 0x0B;
inline constexpr std::uint32_t kRegisterC = 0x0C;
inline constexpr std::uint32_t kRegisterD = 0x0D;

inline constexpr std::uint8_t kAUpdateInProgress = 0x80;
inline constexpr std::uint8_t kARateMask = 0x0F;
inline constexpr std::uint32_t kADividerShift = 4;
inline constexpr std::uint8_t kADividerMask = 0x07;
inline constexpr std::uint8_t kADivider32768Hz = 2;
inline constexpr std::uint8_t kADividerReset = 6; ///< and 7: held in reset

inline constexpr std::uint8_t kBSet = 0x80;
inline constexpr std::uint8_t kBBinary = 0x04;
inline constexpr std::uint8_t kB24Hours = 0x02;

/// Flags of register C; the same bits enable them in register B.
inline constexpr std::uint8_t kPeriodic = 0x40;
inline constexpr std::uint8_t kAlarm = 0x20;
inline constexpr std::uint8_t kUpdateEnded = 0x10;
inline constexpr std::uint8_t kInterruptFlags = kPeriodic | kAlarm | kUpdateEnded;
inline constexpr std::uint8_t kCInterruptRequest = 0x80;

inline constexpr std::uint8_t kDValid = 0x80;

inline constexpr std::uint8_t kHourPm = 0x80;
/// An alarm register of 0xC0 and above matches always.
inline constexpr std::uint8_t kAlarmDontCare = 0xC0;

inline constexpr std::uint32_t kCmosEquipment = 0x14;
inline constexpr std::uint32_t kCmosBaseMemoryLow = 0x15; ///< KiB, 16 bits
inline constexpr std::uint32_t kCmosExtendedLow = 0x17;   ///< KiB above 1 MiB, 16 bits
inline constexpr std::uint32_t kCmosChecksumFirst = 0x10;
inline constexpr std::uint32_t kCmosChecksumLast = 0x2D;
inline constexpr std::uint32_t kCmosChecksumHigh = 0x2E;
inline constexpr std::uint32_t kCmosChecksumLow = 0x2F;
inline constexpr std::uint32_t kCmosExtendedAgainLow = 0x30; ///< as found by POST
inline constexpr std::uint32_t kCmosCentury = 0x32;
inline constexpr std::uint32_t kCmosAbove16MibLow = 0x34; ///< 64 KiB units above 16 MiB, 16 bits

inline constexpr std::uint8_t kEquipmentFpu = 0x02;
inline constexpr std::uint8_t kEquipmentKeyboard = 0x04;

} // namespace ringone::devices::rtc
