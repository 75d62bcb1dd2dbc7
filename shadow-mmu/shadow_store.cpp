// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "shadow-mmu/shadow_store.hpp"

#include <cstring>
#include <type_traits>

namespace ringone::mmu {
namespace {

// The arena is used as arrays of these without a constructor call.
static_assert(std::is_trivially_copyable_v<Region> && std::is_trivially_destructible_v<Space>);

constexpr std::size_t kAlignment = alignof(std::max_align_t);

constexpr std::size_t padded(std::size_t bytes) { return (bytes + kAlignment - 1) & ~(kAlignment - 1); }

/// Cuts arrays from the front of the arena.
class Cutter {
public:
    explicit Cutter(std::span<std::byte> arena) : rest_(arena.data()) {}
    template <typename T>
    T* cut(std::size_t count) {
        std::byte* const at = rest_;
        rest_ += padded(count * sizeof(T));
        return reinterpret_cast<T*>(at);
    }

private:
    std::byte* rest_;
};

std::uint32_t spaces_with_global(const ShadowConfig& config) { return config.spaces + 1; }

} // namespace

std::uint32_t PageSet::first() const {
    for (std::uint32_t word = 0; word < kWords; ++word) {
        if (words[word] != 0) return word * kWordBits + static_cast<std::uint32_t>(std::countr_zero(words[word]));
    }
    return kRegionPages;
}

bool PageSet::any_in(std::uint32_t first, std::uint32_t last) const {
    for (std::uint32_t word = first / kWordBits; word <= last / kWordBits; ++word) {
        std::uint64_t mask = ~0ULL;
        if (word == first / kWordBits) mask &= ~0ULL << first % kWordBits;
        if (word == last / kWordBits) mask &= ~0ULL >> (kWordBits - 1 - last % kWordBits);
        if ((words[word] & mask) != 0) return true;
    }
    return false;
}

std::size_t ShadowStore::arena_bytes(const ShadowConfig& config) {
    return padded(config.regions * sizeof(Region)) + padded(spaces_with_global(config) * sizeof(Space)) +
           padded(config.ram_pages * sizeof(std::uint32_t)) + padded(config.regions * sizeof(std::uint16_t)) +
           padded(config.ram_pages * sizeof(std::uint8_t));
}

ShadowStore::ShadowStore(const ShadowConfig& config, std::span<std::byte> arena)
    : region_count_(config.regions), space_count_(spaces_with_global(config)), free_count_(config.regions) {
    Cutter cutter(arena);
    regions_ = cutter.cut<Region>(config.regions);
    spaces_ = cutter.cut<Space>(space_count_);
    heads_ = cutter.cut<std::uint32_t>(config.ram_pages);
    free_ = cutter.cut<std::uint16_t>(config.regions);
    traces_ = cutter.cut<std::uint8_t>(config.ram_pages);
    for (std::uint32_t i = 0; i < region_count_; ++i) {
        regions_[i].in_use = false;
        free_[i] = static_cast<std::uint16_t>(region_count_ - 1 - i);
    }
    for (std::uint32_t i = 0; i < space_count_; ++i) {
        spaces_[i] = {};
        std::memset(spaces_[i].directory, 0xFF, sizeof spaces_[i].directory); // kNoRegion everywhere
    }
    std::memset(heads_, 0xFF, config.ram_pages * sizeof(std::uint32_t)); // kNoNode everywhere
    std::memset(traces_, 0, config.ram_pages);
    spaces_[kGlobalSpace].in_use = true;
}

Region* ShadowStore::find(SpaceId space, std::uint32_t index) {
    const std::uint16_t id = spaces_[space].directory[index];
    return id == kNoRegion ? nullptr : &regions_[id];
}

Region* ShadowStore::allocate(SpaceId space, std::uint32_t index) {
    if (free_count_ == 0) return nullptr;
    const std::uint16_t id = free_[--free_count_];
    Region& region = regions_[id];
    region.present = {};
    region.live = {};
    region.writable = {};
    region.live_pages = 0;
    region.present_pages = 0;
    region.index = static_cast<std::uint16_t>(index);
    region.space = space;
    region.in_use = true;
    region.large = false;
    Space& owner = spaces_[space];
    owner.directory[index] = id;
    owner.populated[index / kWordBits] |= 1ULL << index % kWordBits;
    ++owner.regions;
    return &region;
}

void ShadowStore::release(Region& region) {
    region.present.for_each([&](std::uint32_t slot) { clear(region, slot); });
    Space& owner = spaces_[region.space];
    owner.directory[region.index] = kNoRegion;
    owner.populated[region.index / kWordBits] &= ~(1ULL << region.index % kWordBits);
    --owner.regions;
    region.in_use = false;
    free_[free_count_++] = static_cast<std::uint16_t>(&region - regions_);
}

Region* ShadowStore::next_victim() {
    for (std::uint32_t tried = 0; tried < region_count_; ++tried) {
        Region& region = regions_[hand_];
        hand_ = (hand_ + 1) % region_count_;
        if (region.in_use) return &region;
    }
    return nullptr;
}

std::uint32_t ShadowStore::next_region(SpaceId space, std::uint32_t index) const {
    const Space& owner = spaces_[space];
    for (std::uint32_t word = index / kWordBits; word < Space::kWords; ++word) {
        std::uint64_t bits = owner.populated[word];
        if (word == index / kWordBits) bits &= ~0ULL << index % kWordBits;
        if (bits != 0) return word * kWordBits + static_cast<std::uint32_t>(std::countr_zero(bits));
    }
    return kRegionSlots;
}

bool ShadowStore::exposed(const Region& region, std::uint32_t slot) const {
    return !region.entries[slot].has(ShadowEntry::kUser) && region.page(slot) < user_limit_;
}

void ShadowStore::link(Region& region, std::uint32_t slot) {
    std::uint32_t& head = heads_[region.entries[slot].ram().number];
    region.next[slot] = head;
    region.previous[slot] = kNoNode;
    const std::uint32_t self = node(region, slot);
    if (head != kNoNode) regions_[head >> kRegionShift].previous[head & (kRegionPages - 1)] = self;
    head = self;
}

void ShadowStore::unlink(Region& region, std::uint32_t slot) {
    const std::uint32_t next = region.next[slot];
    const std::uint32_t previous = region.previous[slot];
    if (next != kNoNode) regions_[next >> kRegionShift].previous[next & (kRegionPages - 1)] = previous;
    if (previous != kNoNode) regions_[previous >> kRegionShift].next[previous & (kRegionPages - 1)] = next;
    else heads_[region.entries[slot].ram().number] = next;
}

void ShadowStore::set(Region& region, std::uint32_t slot, ShadowEntry entry) {
    if (region.present.has(slot)) {
        const ShadowEntry old = region.entries[slot];
        if (old.ram() == entry.ram()) {
            const bool live = region.live.has(slot);
            if (live) exposed_pages_ -= exposed(region, slot) ? 1 : 0;
            region.entries[slot] = entry;
            if (live) exposed_pages_ += exposed(region, slot) ? 1 : 0;
            return;
        }
        unlink(region, slot);
    } else {
        region.present.add(slot);
        ++region.present_pages;
    }
    region.entries[slot] = entry;
    link(region, slot);
}

void ShadowStore::clear(Region& region, std::uint32_t slot) {
    clear_live(region, slot);
    unlink(region, slot);
    region.present.remove(slot);
    --region.present_pages;
}

void ShadowStore::set_live(Region& region, std::uint32_t slot, bool writable) {
    if (!region.live.has(slot)) {
        region.live.add(slot);
        ++region.live_pages;
        exposed_pages_ += exposed(region, slot) ? 1 : 0;
    }
    if (writable) region.writable.add(slot);
    else region.writable.remove(slot);
}

void ShadowStore::clear_live(Region& region, std::uint32_t slot) {
    if (!region.live.has(slot)) return;
    region.live.remove(slot);
    region.writable.remove(slot);
    --region.live_pages;
    exposed_pages_ -= exposed(region, slot) ? 1 : 0;
}

void ShadowStore::move_live(Region& from, Region& to) {
    to.live = from.live;
    to.writable = from.writable;
    to.live_pages = from.live_pages;
    from.live = {};
    from.writable = {};
    from.live_pages = 0;
}

void ShadowStore::set_user_limit(LinearPage limit) {
    user_limit_ = limit;
    exposed_pages_ = 0;
    for (std::uint32_t i = 0; i < region_count_; ++i) {
        const Region& region = regions_[i];
        if (!region.in_use || region.live_pages == 0) continue;
        region.live.for_each([&](std::uint32_t slot) { exposed_pages_ += exposed(region, slot) ? 1 : 0; });
    }
}

} // namespace ringone::mmu
