// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include <cstdint>

namespace ringone::devices {

/// A time of the proleptic Gregorian calendar, as a real-time clock holds it.
struct CalendarTime {
    std::int32_t year; ///< with its century
    std::uint32_t month; ///< 1-12
    std::uint32_t day;   ///< 1-31
    std::uint32_t hour, minute, second;
    std::uint32_t weekday; ///< 1 is Sunday

    friend bool operator==(const CalendarTime&, const CalendarTime&) = default;
};

/// `seconds` since 1970-01-01 00:00.
[[nodiscard]] CalendarTime calendar_from_seconds(std::int64_t seconds);

/// The inverse; the weekday is ignored. Fields out of range carry into the next ones (month 0 or above 12 too).
[[nodiscard]] std::int64_t seconds_from_calendar(const CalendarTime& time);

} // namespace ringone::devices
