// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "devices/mc146818/calendar.hpp"

#include <chrono>

namespace ringone::devices {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

CalendarTime calendar_from_seconds(std::int64_t unix_seconds) {
    const std::chrono::sys_seconds point{seconds(unix_seconds)};
    const auto midnight = std::chrono::floor<days>(point);
    const std::chrono::year_month_day date(midnight);
    const std::chrono::hh_mm_ss clock(point - midnight);
    return {
        .year = static_cast<int>(date.year()),
        .month = static_cast<unsigned>(date.month()),
        .day = static_cast<unsigned>(date.day()),
        .hour = static_cast<std::uint32_t>(clock.hours().count()),
        .minute = static_cast<std::uint32_t>(clock.minutes().count()),
        .second = static_cast<std::uint32_t>(clock.seconds().count()),
        .weekday = std::chrono::weekday(midnight).c_encoding() + 1U,
    };
}

std::int64_t seconds_from_calendar(const CalendarTime& time) {
    // First of the month by month arithmetic, the rest added: so that any register content gives a time.
    const auto first = std::chrono::year(time.year) / std::chrono::January / std::chrono::day(1);
    const auto month = first + std::chrono::months(static_cast<int>(time.month) - 1);
    const std::chrono::sys_seconds point = std::chrono::sys_days(month) + days(static_cast<int>(time.day) - 1) +
                                           hours(time.hour) + minutes(time.minute) + seconds(time.second);
    return point.time_since_epoch().count();
}

} // namespace ringone::devices
