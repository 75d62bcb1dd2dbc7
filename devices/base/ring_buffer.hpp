// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include <array>
#include <cstddef>

namespace ringone::devices {

/// A FIFO of fixed capacity.
template <typename T, std::size_t kCapacity>
class RingBuffer {
public:
    /// False when full; the element is not taken.
    [[nodiscard]] bool push(const T& element) {
        if (full()) {
            return false;
        }
        elements_[(first_ + count_) % kCapacity] = element;
        ++count_;
        return true;
    }

    /// The oldest element. Must not be empty.
    [[nodiscard]] T& front() { return elements_[first_]; }
    /// The newest element. Must not be empty.
    [[nodiscard]] T& back() { return elements_[(first_ + count_ - 1) % kCapacity]; }

    /// Must not be empty.
    T pop() {
        const T element = elements_[first_];
        first_ = (first_ + 1) % kCapacity;
        --count_;
        return element;
    }

    void clear() { first_ = count_ = 0; }
    [[nodiscard]] std::size_t size() const { return count_; }
    [[nodiscard]] std::size_t room() const { return kCapacity - count_; }
    [[nodiscard]] bool empty() const { return count_ == 0; }
    [[nodiscard]] bool full() const { return count_ == kCapacity; }

    /// Is there an element for which `predicate` holds?
    template <typename Predicate>
    [[nodiscard]] bool any_of(Predicate predicate) const {
        for (std::size_t i = 0; i < count_; ++i) {
            if (predicate(elements_[(first_ + i) % kCapacity])) {
                return true;
            }
        }
        return false;
    }

private:
    std::array<T, kCapacity> elements_{};
    std::size_t first_ = 0;
    std::size_t count_ = 0;
};

} // namespace ringone::devices
