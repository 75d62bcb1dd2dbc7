// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "shadow-mmu/shadow_config.hpp"
#include "shadow-mmu/types.hpp"

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace ringone::mmu {

/// Why guest writes to a RAM page are caught; a page may have several reasons.
enum class Trace : std::uint8_t {
    translated_code = 1U << 0,
    page_table = 1U << 1,
    rom = 1U << 2,
    descriptor_table = 1U << 3, ///< descriptors that segment registers have been loaded from
};

inline constexpr std::uint32_t kRegionShift = 9;
inline constexpr std::uint32_t kRegionPages = 1U << kRegionShift; ///< a PAE page table's reach, half a two-level one's
inline constexpr std::uint32_t kRegionSlots = kLinearPages / kRegionPages;
inline constexpr std::uint32_t kWordBits = 64;

/// A guest address space that is kept; 0 holds the global pages of all.
using SpaceId = std::uint16_t;
inline constexpr SpaceId kGlobalSpace = 0;

/// The guest translation of one page as it was when it was last looked at: RAM page and rights.
struct ShadowEntry {
    static constexpr std::uint32_t kWrite = 1U << 0;
    static constexpr std::uint32_t kUser = 1U << 1;
    static constexpr std::uint32_t kExecute = 1U << 2;
    static constexpr std::uint32_t kDirty = 1U << 3;
    static constexpr std::uint32_t kGuestRights = kWrite | kUser | kExecute;

    std::uint32_t bits = 0;

    [[nodiscard]] static constexpr ShadowEntry make(RamPage ram, std::uint32_t flags) {
        return {ram.number << kPageShift | flags};
    }
    [[nodiscard]] constexpr RamPage ram() const { return {bits >> kPageShift}; }
    [[nodiscard]] constexpr bool has(std::uint32_t flag) const { return (bits & flag) != 0; }
    [[nodiscard]] constexpr std::uint32_t rights() const { return bits & kGuestRights; }
    friend constexpr bool operator==(ShadowEntry, ShadowEntry) = default;
};

/// A set of the pages of a region.
struct PageSet {
    static constexpr std::uint32_t kWords = kRegionPages / kWordBits;
    std::uint64_t words[kWords];

    [[nodiscard]] bool has(std::uint32_t slot) const { return (words[slot / kWordBits] >> slot % kWordBits & 1U) != 0; }
    void add(std::uint32_t slot) { words[slot / kWordBits] |= 1ULL << slot % kWordBits; }
    void remove(std::uint32_t slot) { words[slot / kWordBits] &= ~(1ULL << slot % kWordBits); }
    /// Calls each(slot), ascending; `each` may remove slots: those that it has not been given yet are left out then.
    template <typename Each>
    void for_each(Each each) const {
        for (std::uint32_t word = 0; word < kWords; ++word) {
            for (std::uint64_t rest = words[word]; rest != 0; rest &= (rest - 1) & words[word]) {
                each(word * kWordBits + static_cast<std::uint32_t>(std::countr_zero(rest)));
            }
        }
    }
    /// The lowest slot; kRegionPages when there is none.
    [[nodiscard]] std::uint32_t first() const;
    [[nodiscard]] bool any_in(std::uint32_t first, std::uint32_t last) const;
};

/// 2 MiB of one guest address space: its shadow entries, and the links that make them part of the reverse map.
/// Lives in the arena; valid between allocate() and release().
struct Region {
    PageSet present;
    PageSet live;     ///< of the present ones, those that the hardware maps
    PageSet writable; ///< of the live ones, those that it lets be written
    std::uint32_t live_pages;
    std::uint32_t present_pages;
    std::uint16_t index; ///< in linear space, in units of kRegionPages
    SpaceId space;
    bool in_use;
    bool large; ///< all from one large page, with the same rights: INVLPG of one address drops all of it
    ShadowEntry entries[kRegionPages];
    std::uint32_t next[kRegionPages]; ///< reverse map: other mappings of the same RAM page
    std::uint32_t previous[kRegionPages];

    [[nodiscard]] LinearPage page(std::uint32_t slot) const { return {index * kRegionPages + slot}; }
};

/// Which guest address space: translation mode and root of its tables.
struct SpaceKey {
    PagingMode mode = PagingMode::none;
    std::uint32_t root = 0;
    friend constexpr bool operator==(SpaceKey, SpaceKey) = default;
};

/// A guest address space: its regions, by place.
struct Space {
    static constexpr std::uint32_t kRecent = 32;
    static constexpr std::uint32_t kWords = kRegionSlots / kWordBits;

    SpaceKey key;
    bool in_use;
    std::uint32_t regions;
    std::uint64_t last_used; ///< in switches
    std::uint64_t populated[kWords];
    std::uint16_t directory[kRegionSlots];
    std::uint32_t recent[kRecent]; ///< linear pages last filled, a ring
    std::uint32_t recent_count;
    std::uint32_t entries; ///< switches to it since these began to be learned
};

/// The bookkeeping of the shadow MMU: spaces, regions, reverse map and traces, in memory handed in. It knows of no
/// hardware; a caller unmaps what it clears.
class ShadowStore {
public:
    [[nodiscard]] static std::size_t arena_bytes(const ShadowConfig& config);

    ShadowStore(const ShadowConfig& config, std::span<std::byte> arena);
    ShadowStore(const ShadowStore&) = delete;
    ShadowStore& operator=(const ShadowStore&) = delete;

    [[nodiscard]] Space& space(SpaceId id) { return spaces_[id]; }
    [[nodiscard]] std::uint32_t space_count() const { return space_count_; } ///< the global one included

    [[nodiscard]] Region* find(SpaceId space, std::uint32_t index);
    /// A region with no pages, or null when the pool is empty.
    [[nodiscard]] Region* allocate(SpaceId space, std::uint32_t index);
    /// Gives back a region; its pages leave the reverse map, and are no longer live.
    void release(Region& region);
    /// Some region in use, another at each call (in turn); null when none is.
    [[nodiscard]] Region* next_victim();

    /// First populated region of the space at or after `index`; kRegionSlots when there is none.
    [[nodiscard]] std::uint32_t next_region(SpaceId space, std::uint32_t index) const;
    template <typename Each>
    void for_each_region(SpaceId space, Each each) {
        for (std::uint32_t at = next_region(space, 0); at < kRegionSlots; at = next_region(space, at + 1)) {
            each(*find(space, at));
        }
    }

    /// Puts an entry in; keeps the live state where the RAM page is the same. Where it is not the page must not be live.
    void set(Region& region, std::uint32_t slot, ShadowEntry entry);
    /// Takes an entry out; the page is no longer live.
    void clear(Region& region, std::uint32_t slot);
    void set_live(Region& region, std::uint32_t slot, bool writable);
    void clear_live(Region& region, std::uint32_t slot);
    /// What is live in one region is so in the other from now on, which has nothing live, and equal entries there.
    void move_live(Region& from, Region& to);

    /// Live supervisor pages below the limit of user segments.
    [[nodiscard]] std::uint32_t exposed_pages() const { return exposed_pages_; }
    void set_user_limit(LinearPage limit);
    [[nodiscard]] LinearPage user_limit() const { return user_limit_; }

    /// Calls each(region, slot) for every mapping of the RAM page; `each` may clear the one it is given.
    template <typename Each>
    void for_each_mapping(RamPage ram, Each each) {
        for (std::uint32_t node = heads_[ram.number]; node != kNoNode;) {
            Region& region = regions_[node >> kRegionShift];
            const std::uint32_t slot = node & (kRegionPages - 1);
            node = region.next[slot];
            each(region, slot);
        }
    }

    [[nodiscard]] std::uint8_t traces(RamPage ram) const { return traces_[ram.number]; }
    void set_traces(RamPage ram, std::uint8_t traces) { traces_[ram.number] = traces; }

private:
    static constexpr std::uint32_t kNoNode = 0xFFFFFFFF;
    static constexpr std::uint16_t kNoRegion = 0xFFFF;

    [[nodiscard]] std::uint32_t node(const Region& region, std::uint32_t slot) const {
        return static_cast<std::uint32_t>(&region - regions_) << kRegionShift | slot;
    }
    [[nodiscard]] bool exposed(const Region& region, std::uint32_t slot) const;
    void link(Region& region, std::uint32_t slot);
    void unlink(Region& region, std::uint32_t slot);

    Region* regions_;
    std::uint32_t region_count_;
    Space* spaces_;
    std::uint32_t space_count_;
    std::uint32_t* heads_;    ///< reverse map: a RAM page's first mapping
    std::uint16_t* free_;     ///< stack of free regions
    std::uint8_t* traces_;    ///< a byte a RAM page: bits of Trace
    std::uint32_t free_count_;
    std::uint32_t hand_ = 0;
    std::uint32_t exposed_pages_ = 0;
    LinearPage user_limit_{kLinearPages};
};

} // namespace ringone::mmu
