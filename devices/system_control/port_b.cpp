// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "devices/system_control/port_b.hpp"

namespace ringone::devices {

namespace {

constexpr std::uint8_t kTimer2Gate = 0x01;
constexpr std::uint8_t kSpeakerData = 0x02;
constexpr std::uint8_t kWritable = 0x0F;
constexpr std::uint8_t kRefreshToggle = 0x10;
constexpr std::uint8_t kTimer2Out = 0x20;
/// DRAM refresh is requested every 18 ticks of the timer's clock.
constexpr std::uint64_t kRefreshPeriodNs = 15'085;

} // namespace

std::uint8_t SystemControlPortB::read_byte(std::uint32_t) {
    const bool toggle = (clock_.now_ns() / kRefreshPeriodNs & 1U) != 0;
    return low_byte(control_ | (toggle ? kRefreshToggle : 0U) | (timer_.speaker_out() ? kTimer2Out : 0U));
}

void SystemControlPortB::write_byte(std::uint32_t, std::uint8_t value) {
    control_ = value & kWritable;
    timer_.set_speaker_gate((value & kTimer2Gate) != 0);
}

bool SystemControlPortB::speaker_enabled() const {
    return (control_ & kSpeakerData) != 0 && (control_ & kTimer2Gate) != 0;
}

} // namespace ringone::devices
