// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "translator/context.hpp"
#include "translator/gs_area.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace ringone::translator {

using FragmentId = std::uint32_t;
using LinkId = std::uint32_t;
inline constexpr std::uint32_t kNone = 0xFFFFFFFF;

/// How to bring the guest to an instruction boundary from a CCF address. Entries are sorted by `ccf_offset`; each
/// covers the addresses up to the next one.
struct SideEntry {
    enum Flags : std::uint8_t {
        boundary = 1,         ///< at exactly ccf_offset the guest stands before the instruction at guest_offset
        undoable = 2,         ///< anywhere in the range: applying `restore` brings the guest there
        uninterruptible = 4,  ///< no interrupt may be taken at this boundary (STI shadow)
        restore_eax = 8,      ///< EAX is in its spill slot
        restore_ecx = 16,     ///< ECX is in its spill slot
    };
    std::uint16_t ccf_offset;
    std::uint8_t guest_offset;
    std::uint8_t flags;
};
static_assert(sizeof(SideEntry) == 4, "sixteen entries fit a cache line");

/// One compiled code fragment (CCF).
struct Fragment {
    std::uint32_t eip;
    std::uint32_t ccf;           ///< run address of its first byte
    std::uint32_t indirect_entry; ///< run address of its tag check, 0 while it was no indirect target
    std::uint32_t return_entry;   ///< run address of its check for returns (behind its call, or a stub), 0: none yet
    std::uint16_t ccf_length;
    std::uint16_t guest_length;
    std::uint16_t instruction_count;
    std::uint16_t identical_count;
    std::uint8_t context;        ///< index into the context table; kOneInstruction set for single-step fragments
    bool dead;
    std::uint16_t side_count;
    std::uint32_t side_first;    ///< index into the side entries
    FragmentId hash_next;
    std::uint32_t page[2];       ///< guest-physical pages it was read from; kNone: only one
    FragmentId page_next[2];     ///< next fragment in the page's bucket, as (id << 1 | slot)
    LinkId incoming;             ///< first link that jumps here
    LinkId link_first;           ///< its own exits are the links from here on whose `from` it is
};
inline constexpr std::uint8_t kOneInstruction = 0x80;
inline constexpr std::uint32_t kMaxContexts = 128;

/// A direct branch out of a fragment: a rel32 field that points to its exit stub, or to the target's fragment.
struct Link {
    std::uint32_t field;      ///< run address of the rel32; 0: overwritten since, never to be patched
    std::uint32_t stub;       ///< run address of the exit stub, 0: the slot is free
    std::uint32_t target_eip;
    std::uint32_t branch_eip; ///< guest EIP of the branch itself: a target past the code-segment limit faults there
    FragmentId from;
    FragmentId to;            ///< kNone while unchained
    LinkId next, previous;    ///< in the target's incoming list
};

/// Zone memory for code: written at `write`, run at `run` (32-bit).
struct CodeMemory {
    std::uint8_t* write = nullptr;
    std::uint32_t run = 0;
    std::uint32_t size = 0; ///< bytes
};

struct CacheCounters {
    std::uint64_t fragments, guest_instructions, identical_instructions, guest_bytes, code_bytes;
    std::uint64_t links_made, links_cut, indirect_entries, return_entries, sites_learned, sites_given_up, invalidated, evicted_units, evicted_fragments, flushes;
    std::uint64_t dispatch_resets;
};

/// The chained translation cache. Code memory is split into units that are filled and evicted in FIFO order
/// (medium-grained eviction, Hazelwood & Smith 2004). Not thread-safe: the vCPU thread owns it. Nothing here may be
/// called while a fragment is to be resumed in its middle, except find_by_address.
class TranslationCache {
public:
    static constexpr std::uint32_t kUnits = 8;
    static constexpr std::uint32_t kFragmentsPerUnit = 6144;
    static constexpr std::uint32_t kLinksPerUnit = 12288;
    static constexpr std::uint32_t kSideEntriesPerUnit = 65536;
    /// Room that begin_block() guarantees, in bytes: fragment body, and stubs.
    static constexpr std::uint32_t kMaxBodyBytes = 6144;
    static constexpr std::uint32_t kMaxStubBytes = 1024;

    /// Bytes of metadata the constructor needs.
    [[nodiscard]] static std::size_t metadata_bytes();

    /// `exit_gate`: run address of the world's way out. `metadata` outlives the cache.
    TranslationCache(CodeMemory code, GsArea& gs, std::uint32_t exit_gate, std::span<std::byte> metadata);

    [[nodiscard]] std::uint8_t intern(const CodeContext& context);
    /// The same context's number if it has one, else kNoContext.
    [[nodiscard]] std::uint8_t find_context(const CodeContext& context) const;
    /// The context whose indirect branches find each other by their table; kNoContext when there is none yet.
    [[nodiscard]] std::uint8_t active(std::uint32_t dispatch_class) const { return active_[dispatch_class]; }
    static constexpr std::uint8_t kNoContext = 0xFF;
    /// Makes the context's dispatch tables current; fragments of another context in its class are not reachable.
    void activate(std::uint8_t context);

    [[nodiscard]] FragmentId find(std::uint32_t eip, std::uint8_t context) const;
    /// The fragment whose body contains the run address, or kNone (a stub, the exit gate ...).
    [[nodiscard]] FragmentId find_by_address(std::uint32_t ccf) const;
    [[nodiscard]] const SideEntry* side_entry(const Fragment& fragment, std::uint32_t ccf) const;
    [[nodiscard]] Fragment& fragment(FragmentId id) { return fragments_[id]; }
    [[nodiscard]] const Fragment& fragment(FragmentId id) const { return fragments_[id]; }
    [[nodiscard]] Link& link(LinkId id) { return links_[id]; }
    [[nodiscard]] std::span<const SideEntry> side_entries(const Fragment& f) const {
        return {sides_ + f.side_first, f.side_count};
    }

    /// Chains an exit to its target's fragment. Both must be in the same context.
    void chain(LinkId link, FragmentId target);
    /// Enters the fragment into the indirect-branch table, making its tag check on first use.
    void make_indirect_target(FragmentId target);
    /// Enters the fragment into the return cache, making its check on first use.
    void make_return_target(FragmentId target);
    /// --- sites: indirect branches with a target compared in place ------------------------------------------------
    /// A site is kSiteBytes of code for a branch whose target is in ECX, then the code for a match: ECX back, and a link.
    static constexpr std::uint32_t kSiteBytes = 43;
    /// From a site's first byte to its link's rel32.
    static constexpr std::uint32_t kSiteToField = kSiteBytes + 7 + 1;
    /// Fits a site to a target that it went to and did not know: it compares with its first one; with the second, it
    /// comes to look up all. True when the target has to be in the dispatch table therefore.
    [[nodiscard]] bool learn_target(LinkId site, FragmentId target);

    /// Enters what was emitted behind a call into the return cache.
    void enter_landing(std::uint32_t dispatch_class, std::uint32_t eip, std::uint32_t landing) {
        gs_.return_cache[dispatch_class][eip & kDispatchMask] = landing;
    }
    /// Kills every fragment that was translated from bytes [first, last] of the guest-physical page. Returns how many.
    std::uint32_t invalidate(std::uint32_t page, std::uint32_t first, std::uint32_t last);
    /// Was anything that lives translated from these bytes of the page?
    [[nodiscard]] bool covers(std::uint32_t page, std::uint32_t first, std::uint32_t last) const;
    [[nodiscard]] bool page_has_code(std::uint32_t page) const { return covers(page, 0, 0xFFF); }
    /// What code at a linear page was translated from: fragments of a view there, from that guest-physical page.
    struct CodePlace {
        std::uint8_t view;
        std::uint32_t linear_page;
        std::uint32_t page;
    };
    /// Cuts every way into the place's fragments that does not begin on the same linear page. Dispatch tables are
    /// the caller's to reset.
    void detach(const CodePlace& place);
    /// Kills the place's fragments.
    void kill_place(const CodePlace& place);
    /// Kills the fragments that begin at the guest-linear address, in whatever context; but one-instruction ones.
    void kill_at(std::uint32_t linear);
    /// Kills every fragment with the guest-linear address among its instructions' bytes. Looks at all there are.
    void kill_over(std::uint32_t linear);
    void reset_dispatch(std::uint32_t dispatch_class);
    void flush();

    /// --- for the back end -------------------------------------------------------------------------------------
    struct Block {
        std::uint8_t* write; ///< where the body goes
        std::uint32_t run;
        bool moved; ///< a new unit was opened: what was emitted before does not fall into this block
    };
    /// Makes room for one block, evicting the oldest unit when all are full.
    [[nodiscard]] Block begin_block(bool may_evict = true);
    [[nodiscard]] bool block_fits() const;
    /// Takes `bytes` of stub room: the stub is written at .write, runs at .run.
    [[nodiscard]] Block take_stub(std::uint32_t bytes);
    /// Writes the tag check of the block that begin_block() made room for before it. Returns its run address.
    [[nodiscard]] std::uint32_t place_tag_check(std::uint32_t eip);
    /// Such a block's fragment has its tag check already.
    void set_indirect_entry(FragmentId fragment, std::uint32_t entry) {
        fragments_[fragment].indirect_entry = entry;
        ++counters_.indirect_entries;
    }
    /// Registers a rel32 field as an exit to `target_eip`, writing its stub. The field must be set to link(id).stub.
    [[nodiscard]] LinkId add_link(std::uint32_t target_eip, std::uint32_t branch_eip);
    void set_link_field(LinkId link, std::uint32_t field) { links_[link].field = field; }
    void add_side_entry(SideEntry entry);
    /// Completes the block begun last and enters it into the lookup and page indexes.
    [[nodiscard]] FragmentId end_block(const Fragment& fragment);

    /// Appends a chainable JMP to `target_eip` to the fragment that was completed last.
    void append_exit(FragmentId fragment, std::uint32_t target_eip);

    [[nodiscard]] std::uint32_t exit_gate() const { return exit_gate_; }
    [[nodiscard]] std::uint32_t return_miss(std::uint32_t dispatch_class) const { return return_miss_[dispatch_class]; }
    [[nodiscard]] std::uint32_t indirect_miss() const { return indirect_miss_; }
    [[nodiscard]] CodeMemory native_slot() const { return native_slot_; }
    [[nodiscard]] std::uint8_t* writable(std::uint32_t run) const { return code_.write + (run - code_.run); }
    [[nodiscard]] const CacheCounters& counters() const { return counters_; }
    [[nodiscard]] const CodeContext& context(std::uint8_t id) const { return contexts_[id & (kMaxContexts - 1)]; }

private:
    struct Unit {
        std::uint32_t body_begin, body, stub, stub_end; ///< run addresses: free room is [body, stub)
        std::uint32_t fragments, links, sides;          ///< used, of this unit's share
        std::uint32_t block_links;                      ///< `links` when the block in work was begun
    };
    static constexpr std::uint32_t kHashBuckets = 1U << 15;
    static constexpr std::uint32_t kPageBuckets = 1U << 13;
    static constexpr std::uint32_t kNativeSlotBytes = 256;

    void write_common_stubs();
    template <typename Each>
    void for_each_at(const CodePlace& place, Each each);
    [[nodiscard]] std::uint32_t linear_page(const Fragment& f) const {
        return (context(f.context).cs_base + f.eip) / 4096;
    }
    [[nodiscard]] std::uint32_t take_entry(FragmentId id, std::uint32_t bytes);
    void open_unit(std::uint32_t unit);
    void evict(std::uint32_t unit);
    void kill(FragmentId id);
    void retire_links_in_head(FragmentId id);
    void unhash(FragmentId id);
    void unlist_page(FragmentId id, std::uint32_t slot);
    void cut(LinkId link);
    void patch(std::uint32_t field, std::uint32_t target);
    [[nodiscard]] static std::uint32_t hash(std::uint32_t eip, std::uint8_t context) {
        return ((eip ^ (eip >> 15U)) + context * 0x9E5U) & (kHashBuckets - 1);
    }
    [[nodiscard]] static bool overlaps(const Fragment& f, std::uint32_t cs_base, std::uint32_t slot,
                                       std::uint32_t first, std::uint32_t last);

    CodeMemory code_;
    GsArea& gs_;
    std::uint32_t exit_gate_;
    std::uint32_t units_begin_ = 0; ///< run address
    std::uint32_t unit_bytes_ = 0;
    std::uint32_t indirect_miss_ = 0;
    std::uint32_t return_miss_[kDispatchClasses] = {};
    CodeMemory native_slot_;
    Unit units_[kUnits];
    std::uint32_t current_ = 0;
    Fragment* fragments_;
    Link* links_;
    SideEntry* sides_;
    FragmentId* buckets_;
    std::uint32_t* page_buckets_;
    CodeContext contexts_[kMaxContexts];
    std::uint32_t context_count_ = 0;
    std::uint8_t active_[kDispatchClasses] = {kNoContext, kNoContext};
    CacheCounters counters_{};
};

} // namespace ringone::translator
