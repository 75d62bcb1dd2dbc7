// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "vmm/monitor/guest_memory.hpp"

#include <algorithm>
#include <cstring>

namespace ringone::vmm {
namespace {

constexpr std::uint32_t kPage = 4096;

/// Splits [linear, linear + bytes) at page borders, wrapping at 4 GiB, and calls each(address, offset, bytes).
template <typename Each>
void for_each_page(std::uint32_t linear, std::size_t bytes, Each each) {
    std::size_t done = 0;
    while (done < bytes) {
        const auto at = static_cast<std::uint32_t>(linear + done);
        const std::size_t now = std::min<std::size_t>(bytes - done, kPage - at % kPage);
        each(at, done, now);
        done += now;
    }
}

/// The widest naturally aligned access of at most `left` bytes at `address`.
std::uint32_t access_size(std::uint32_t address, std::size_t left) {
    if (left >= 4 && address % 4 == 0) return 4;
    return left >= 2 && address % 2 == 0 ? 2 : 1;
}

} // namespace

GuestMemory::GuestMemory(World& world, HostServices& services, translator::TranslationCache& cache,
                         std::span<std::byte> metadata)
    : world_(world), services_(services), cache_(cache), traces_(reinterpret_cast<std::uint8_t*>(metadata.data())) {
    std::memset(traces_, 0, world_.ram_pages());
}

bool GuestMemory::map_all() {
    const std::uint32_t pages = std::min(world_.ram_pages(), world_.zone().guest_limit / kPage);
    return world_.map(0, 0, pages, Protection::read_write);
}

MaybeFault GuestMemory::read(std::uint32_t linear, std::span<std::byte> to, AccessPrivilege) {
    for_each_page(linear, to.size(), [&](std::uint32_t at, std::size_t offset, std::size_t bytes) {
        if (at / kPage < world_.ram_pages()) {
            std::memcpy(to.data() + offset, world_.ram() + at, bytes);
            return;
        }
        world_.begin_host_call();
        while (bytes > 0) {
            const std::uint32_t size = access_size(at, bytes);
            const std::uint32_t value = services_.mmio_read(at, size);
            std::memcpy(to.data() + offset, &value, size);
            ++counters_.mmio_accesses;
            at += size;
            offset += size;
            bytes -= size;
        }
        world_.end_host_call();
    });
    return {};
}

MaybeFault GuestMemory::write(std::uint32_t linear, std::span<const std::byte> from, AccessPrivilege) {
    for_each_page(linear, from.size(), [&](std::uint32_t at, std::size_t offset, std::size_t bytes) {
        if (at / kPage < world_.ram_pages()) {
            write_ram(at, from.subspan(offset, bytes));
            return;
        }
        world_.begin_host_call();
        while (bytes > 0) {
            const std::uint32_t size = access_size(at, bytes);
            std::uint32_t value = 0;
            std::memcpy(&value, from.data() + offset, size);
            services_.mmio_write(at, size, value);
            ++counters_.mmio_accesses;
            at += size;
            offset += size;
            bytes -= size;
        }
        world_.end_host_call();
    });
    return {};
}

void GuestMemory::write_ram(std::uint32_t physical, std::span<const std::byte> from) {
    std::memcpy(world_.ram() + physical, from.data(), from.size());
    const std::uint32_t page = physical / kPage;
    if ((traces_[page] & kTraced) == 0) return;
    const std::uint32_t first = physical % kPage;
    const auto last = static_cast<std::uint32_t>(first + from.size() - 1);
    if (cache_.invalidate(page, first, last) > 0) {
        ++counters_.code_writes;
        if (!cache_.page_has_code(page)) release(page);
    } else {
        ++counters_.data_writes_on_code_pages;
        if (++traces_[page] >= (kTraced | kDataWritesBeforeRelease)) {
            (void)cache_.invalidate(page, 0, kPage - 1);
            release(page);
        }
    }
}

void GuestMemory::release(std::uint32_t page) {
    traces_[page] = 0;
    world_.protect(page, 1, Protection::read_write);
    ++counters_.pages_released;
}

MaybeFault GuestMemory::probe(std::uint32_t, std::uint32_t, AccessType, AccessPrivilege) { return {}; }

std::uint32_t GuestMemory::fetch(std::uint32_t linear, std::span<std::uint8_t> to) {
    const auto bytes = static_cast<std::uint32_t>(std::min<std::size_t>(to.size(), kPage - linear % kPage));
    // Nothing drives the bus outside RAM: a fetch there reads ones, which is an invalid instruction.
    if (linear / kPage < world_.ram_pages()) std::memcpy(to.data(), world_.ram() + linear, bytes);
    else std::memset(to.data(), 0xFF, bytes);
    return bytes;
}

std::uint32_t GuestMemory::physical_page(std::uint32_t linear) {
    const std::uint32_t page = linear / kPage;
    if (page < world_.ram_pages() && (traces_[page] & kTraced) == 0) {
        traces_[page] = kTraced;
        world_.protect(page, 1, Protection::read);
        ++counters_.pages_traced;
    }
    return page;
}

} // namespace ringone::vmm
