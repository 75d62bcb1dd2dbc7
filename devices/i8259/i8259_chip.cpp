// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "devices/i8259/i8259_chip.hpp"

namespace ringone::devices {

namespace {

constexpr std::uint8_t kIcw1 = 0x10;
constexpr std::uint8_t kIcw1Ic4 = 0x01;
constexpr std::uint8_t kIcw1Single = 0x02;
constexpr std::uint8_t kIcw2VectorMask = 0xF8;
constexpr std::uint8_t kIcw4AutoEoi = 0x02;
constexpr std::uint8_t kIcw4SpecialFullyNested = 0x10;
constexpr std::uint8_t kOcw3 = 0x08;
constexpr std::uint8_t kOcw3EnableSpecialMask = 0x40;
constexpr std::uint8_t kOcw3SpecialMask = 0x20;
constexpr std::uint8_t kOcw3Poll = 0x04;
constexpr std::uint8_t kOcw3ReadRegister = 0x02;
constexpr std::uint8_t kOcw3ReadIsr = 0x01;
constexpr std::uint8_t kPollRequest = 0x80;
constexpr std::uint8_t kLevelMask = 0x07;

/// OCW2 bits 7-5: R, SL, EOI.
enum Ocw2Command : std::uint8_t {
    kClearRotateInAutoEoi = 0,
    kNonSpecificEoi = 1,
    kSpecificEoi = 3,
    kSetRotateInAutoEoi = 4,
    kRotateOnNonSpecificEoi = 5,
    kSetPriority = 6,
    kRotateOnSpecificEoi = 7,
};

constexpr std::uint8_t bit_of(unsigned level) {
    return low_byte(1U << level);
}

} // namespace

std::uint8_t I8259Chip::irr() const {
    // An edge whose line falls before INTA is forgotten (figure "IR triggering timing"): IR7 by default then.
    return low_byte(inputs_ & (latched_ | level_triggered_ | following_));
}

std::uint8_t I8259Chip::by_priority(unsigned rank) const {
    return low_byte((lowest_priority_ + 1U + rank) & kLevelMask);
}

std::optional<std::uint8_t> I8259Chip::highest_request() const {
    if (expects_ != Expects::kOcw1) {
        return std::nullopt;
    }
    const unsigned requests = irr() & ~static_cast<unsigned>(imr_);
    const unsigned in_service = special_mask_ ? isr_ & ~static_cast<unsigned>(imr_) : isr_;
    for (unsigned rank = 0; rank < kInputs; ++rank) {
        const std::uint8_t level = by_priority(rank);
        const std::uint8_t bit = bit_of(level);
        // Special fully nested: a slave in service may still interrupt by one of its higher inputs.
        const bool nested = special_fully_nested_ && (following_ & bit) != 0;
        if ((in_service & bit) != 0 && !nested) {
            return std::nullopt;
        }
        if ((requests & bit) != 0) {
            return level;
        }
        if ((in_service & bit) != 0) {
            return std::nullopt;
        }
    }
    return std::nullopt;
}

void I8259Chip::update_int() {
    int_ = highest_request().has_value();
    int_output_.set_level(int_);
}

void I8259Chip::set_input(unsigned ir, bool high) {
    const std::uint8_t bit = bit_of(ir);
    if (high == ((inputs_ & bit) != 0)) {
        return;
    }
    if (high) {
        inputs_ |= bit;
        latched_ |= bit;
    } else {
        inputs_ = low_byte(inputs_ & ~static_cast<unsigned>(bit));
        latched_ = low_byte(latched_ & ~static_cast<unsigned>(bit));
    }
    // INT, once raised, waits for INTA even if its request goes away: that is where spurious interrupts come from.
    if (high || (following_ & bit) != 0 || !int_) {
        update_int();
    }
}

void I8259Chip::set_level_triggered(std::uint8_t mask) {
    level_triggered_ = mask;
    update_int();
}

I8259Chip::Acknowledged I8259Chip::acknowledge() {
    const std::optional<std::uint8_t> level = highest_request();
    if (!level) {
        update_int();
        return {kSpuriousLevel, true};
    }
    latched_ = low_byte(latched_ & ~static_cast<unsigned>(bit_of(*level)));
    if (!auto_eoi_) {
        isr_ |= bit_of(*level);
    } else if (rotate_in_auto_eoi_) {
        lowest_priority_ = *level;
    }
    update_int();
    return {*level, false};
}

std::uint8_t I8259Chip::read_byte(std::uint32_t offset) {
    if (poll_) {
        poll_ = false;
        const Acknowledged acknowledged = acknowledge();
        return acknowledged.spurious ? std::uint8_t{0} : low_byte(kPollRequest | acknowledged.level);
    }
    if (offset != 0) {
        return imr_;
    }
    return read_isr_ ? isr_ : irr();
}

void I8259Chip::write_byte(std::uint32_t offset, std::uint8_t value) {
    if (offset == 0) {
        if ((value & kIcw1) != 0) {
            write_icw1(value);
        } else if ((value & kOcw3) != 0) {
            write_ocw3(value);
        } else {
            write_ocw2(value);
        }
        update_int();
        return;
    }
    switch (expects_) {
    case Expects::kReset:
    case Expects::kOcw1:
        imr_ = value;
        break;
    case Expects::kIcw2:
        vector_base_ = value & kIcw2VectorMask;
        expects_ = !single_ ? Expects::kIcw3 : icw4_follows_ ? Expects::kIcw4 : Expects::kOcw1;
        break;
    case Expects::kIcw3: // the wiring of the cascade is fixed in a PC
        expects_ = icw4_follows_ ? Expects::kIcw4 : Expects::kOcw1;
        break;
    case Expects::kIcw4:
        auto_eoi_ = (value & kIcw4AutoEoi) != 0;
        special_fully_nested_ = (value & kIcw4SpecialFullyNested) != 0;
        expects_ = Expects::kOcw1;
        break;
    }
    update_int();
}

void I8259Chip::write_icw1(std::uint8_t value) {
    single_ = (value & kIcw1Single) != 0;
    icw4_follows_ = (value & kIcw1Ic4) != 0;
    latched_ = 0;
    imr_ = 0;
    isr_ = 0;
    lowest_priority_ = kSpuriousLevel;
    special_mask_ = false;
    read_isr_ = false;
    poll_ = false;
    rotate_in_auto_eoi_ = false;
    auto_eoi_ = false;
    special_fully_nested_ = false;
    expects_ = Expects::kIcw2;
}

void I8259Chip::end_of_interrupt(std::uint8_t level, bool rotate) {
    isr_ = low_byte(isr_ & ~static_cast<unsigned>(bit_of(level)));
    if (rotate) {
        lowest_priority_ = level;
    }
}

void I8259Chip::non_specific_end_of_interrupt(bool rotate) {
    const unsigned candidates = special_mask_ ? isr_ & ~static_cast<unsigned>(imr_) : isr_;
    for (unsigned rank = 0; rank < kInputs; ++rank) {
        const std::uint8_t level = by_priority(rank);
        if ((candidates & bit_of(level)) != 0) {
            end_of_interrupt(level, rotate);
            return;
        }
    }
}

void I8259Chip::write_ocw2(std::uint8_t value) {
    const std::uint8_t level = value & kLevelMask;
    switch (value >> 5U) {
    case kNonSpecificEoi:
    case kRotateOnNonSpecificEoi:
        non_specific_end_of_interrupt(value >> 5U == kRotateOnNonSpecificEoi);
        break;
    case kSpecificEoi:
    case kRotateOnSpecificEoi:
        end_of_interrupt(level, value >> 5U == kRotateOnSpecificEoi);
        break;
    case kSetPriority:
        lowest_priority_ = level;
        break;
    case kSetRotateInAutoEoi:
    case kClearRotateInAutoEoi:
        rotate_in_auto_eoi_ = value >> 5U == kSetRotateInAutoEoi;
        break;
    default: // 010 is no operation
        break;
    }
}

void I8259Chip::write_ocw3(std::uint8_t value) {
    if ((value & kOcw3EnableSpecialMask) != 0) {
        special_mask_ = (value & kOcw3SpecialMask) != 0;
    }
    if ((value & kOcw3Poll) != 0) {
        poll_ = true;
    } else if ((value & kOcw3ReadRegister) != 0) {
        read_isr_ = (value & kOcw3ReadIsr) != 0;
    }
}

} // namespace ringone::devices
