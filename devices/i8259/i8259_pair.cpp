// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "devices/i8259/i8259_pair.hpp"

namespace ringone::devices {

namespace {

/// IRQ 0, 1, 2, 8 and 13 are always edge-triggered.
constexpr std::array<std::uint8_t, 2> kElcrWritable{0xF8, 0xDE};

} // namespace

I8259Pair::I8259Pair(Line& intr)
    : master_(intr, 1U << kCascadeInput), cascade_(master_), slave_(cascade_, 0), elcr_(master_, slave_) {
    for (unsigned irq = 0; irq < kInputs; ++irq) {
        if (irq != kCascadeInput) {
            inputs_[irq].connect(irq < I8259Chip::kInputs ? master_ : slave_, irq % I8259Chip::kInputs);
        }
    }
}

std::uint8_t I8259Pair::acknowledge() {
    I8259Chip::Acknowledged taken = master_.acknowledge();
    I8259Chip* answering = &master_;
    if (!taken.spurious && taken.level == kCascadeInput) {
        answering = &slave_;
        taken = slave_.acknowledge();
    }
    spurious_ += taken.spurious ? 1 : 0;
    return answering->vector(taken.level);
}

void I8259Pair::Input::set_level(bool high) {
    if (chip_ != nullptr) {
        chip_->set_input(ir_, high);
    }
}

bool I8259Pair::Input::request_pending() const {
    return chip_ != nullptr && chip_->request_pending(ir_);
}

bool I8259Pair::Input::masked() const {
    return chip_ == nullptr || chip_->masked(ir_);
}

std::uint8_t I8259Pair::Elcr::read_byte(std::uint32_t offset) {
    return values_[offset & 1U];
}

void I8259Pair::Elcr::write_byte(std::uint32_t offset, std::uint8_t value) {
    const std::uint32_t index = offset & 1U;
    values_[index] = value & kElcrWritable[index];
    chips_[index]->set_level_triggered(values_[index]);
}

} // namespace ringone::devices
