// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "vmm/monitor/guest_fault.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace ringone::vmm {

enum class AccessType : std::uint8_t { read, write, fetch };
/// Implicit accesses to GDT, LDT, IDT and TSS are supervisor accesses at any CPL (SDM Vol. 3 section 4.6.1).
enum class AccessPrivilege : std::uint8_t { supervisor, user };

/// The guest's linear address space as the CPU's paging unit presents it: RAM, holes and MMIO, with #PF.
/// Addresses are guest-linear and wrap at 4 GiB; an access may cross pages and is all or nothing: when a fault
/// is returned nothing was written.
class LinearMemory {
public:
    [[nodiscard]] virtual MaybeFault read(std::uint32_t linear, std::span<std::byte> to, AccessPrivilege privilege) = 0;
    [[nodiscard]] virtual MaybeFault write(std::uint32_t linear, std::span<const std::byte> from, AccessPrivilege privilege) = 0;
    /// Has an access met a breakpoint? A repeated instruction then ends its round with the element at hand.
    [[nodiscard]] virtual bool stop_repeating() const { return false; }
    /// Would the access succeed? Sets A and D as the access would; touches no device.
    [[nodiscard]] virtual MaybeFault probe(std::uint32_t linear, std::uint32_t bytes, AccessType type, AccessPrivilege privilege) = 0;

    template <typename T>
    [[nodiscard]] MaybeFault load(std::uint32_t linear, T& value, AccessPrivilege privilege) {
        return read(linear, std::as_writable_bytes(std::span(&value, 1)), privilege);
    }
    template <typename T>
    [[nodiscard]] MaybeFault store(std::uint32_t linear, const T& value, AccessPrivilege privilege) {
        return write(linear, std::as_bytes(std::span(&value, 1)), privilege);
    }

protected:
    ~LinearMemory() = default;
};

/// The port space. `size` is 1, 2 or 4 bytes.
class IoBus {
public:
    [[nodiscard]] virtual std::uint32_t io_read(std::uint16_t port, std::uint32_t size) = 0;
    virtual void io_write(std::uint16_t port, std::uint32_t size, std::uint32_t value) = 0;

protected:
    ~IoBus() = default;
};

} // namespace ringone::vmm
