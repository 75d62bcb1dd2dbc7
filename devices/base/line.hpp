// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

namespace ringone::devices {

/// One wire from a device: an interrupt request, a reset or gate output. Setting the level it has is no event.
class Line {
public:
    virtual void set_level(bool high) = 0;

protected:
    ~Line() = default;
};

/// An interrupt request input whose controller tells the source what became of the request. Hardware has no such
/// wire back; a timer needs it to make up for ticks that its guest was too slow to take.
class InterruptInput : public Line {
public:
    /// Is a request latched that the CPU has not acknowledged?
    [[nodiscard]] virtual bool request_pending() const = 0;
    /// Has the guest masked this input at the controller?
    [[nodiscard]] virtual bool masked() const = 0;

protected:
    ~InterruptInput() = default;
};

/// A line that only remembers its level, for whoever polls it.
class Wire final : public Line {
public:
    explicit Wire(bool high = false) : high_(high) {}

    void set_level(bool high) override { high_ = high; }
    [[nodiscard]] bool level() const { return high_; }

private:
    bool high_;
};

} // namespace ringone::devices
