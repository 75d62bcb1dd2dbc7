// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "devices/reset/reset_control.hpp"

namespace ringone::devices {

namespace {

constexpr std::uint8_t kSystemReset = 0x02; ///< hard rather than soft
constexpr std::uint8_t kResetCpu = 0x04;
constexpr std::uint8_t kFastReset = 0x01;
constexpr std::uint8_t kFastA20 = 0x02;

void pulse(Line& line) {
    line.set_level(true);
    line.set_level(false);
}

} // namespace

std::uint8_t ResetControl::read_byte(std::uint32_t) {
    return value_;
}

void ResetControl::write_byte(std::uint32_t, std::uint8_t value) {
    const bool rising = (value & static_cast<unsigned>(~value_) & kResetCpu) != 0;
    value_ = value & (kSystemReset | kResetCpu);
    if (rising) {
        pulse(reset_);
    }
}

SystemControlPortA::SystemControlPortA(Line& reset, Line& a20) : reset_(reset), a20_(a20), value_(kFastA20) {
    a20_.set_level(true);
}

std::uint8_t SystemControlPortA::read_byte(std::uint32_t) {
    return value_;
}

void SystemControlPortA::write_byte(std::uint32_t, std::uint8_t value) {
    const bool rising = (value & static_cast<unsigned>(~value_) & kFastReset) != 0;
    value_ = value & (kFastReset | kFastA20);
    a20_.set_level((value & kFastA20) != 0);
    if (rising) {
        pulse(reset_);
    }
}

} // namespace ringone::devices
