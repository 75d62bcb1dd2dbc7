// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "translator/cache.hpp"

#include "translator/code_writer.hpp"

#include <algorithm>
#include <cstring>
#include <new>

namespace ringone::translator {
namespace {

constexpr std::uint32_t kCommonStubBytes = 512;
constexpr std::uint32_t kLinkStubBytes = 16;
constexpr std::uint32_t kTagCheckBytes = 32;
constexpr std::uint32_t kReturnCheckBytes = 29;
constexpr std::uint32_t kHealBytes = 11;
constexpr std::uint32_t kJumpBytes = 5;
constexpr std::uint32_t kPageSize = 4096;

constexpr std::uint32_t exit_info(ExitKind kind, std::uint32_t payload = 0) {
    return static_cast<std::uint32_t>(kind) | payload << kExitKindBits;
}

} // namespace

std::size_t TranslationCache::metadata_bytes() {
    return kUnits * (kFragmentsPerUnit * sizeof(Fragment) + kLinksPerUnit * sizeof(Link) +
                     kSideEntriesPerUnit * sizeof(SideEntry)) +
           kHashBuckets * sizeof(FragmentId) + kPageBuckets * sizeof(std::uint32_t) + 64;
}

TranslationCache::TranslationCache(CodeMemory code, GsArea& gs, std::uint32_t exit_gate, std::span<std::byte> metadata)
    : code_(code), gs_(gs), exit_gate_(exit_gate) {
    std::byte* at = metadata.data();
    at += (64 - reinterpret_cast<std::uintptr_t>(at) % 64) % 64;
    const auto take = [&at]<typename T>(T*& array, std::size_t count) {
        array = reinterpret_cast<T*>(at);
        for (std::size_t i = 0; i < count; ++i) ::new (static_cast<void*>(array + i)) T{};
        at += count * sizeof(T);
    };
    take(fragments_, std::size_t{kUnits} * kFragmentsPerUnit);
    take(links_, std::size_t{kUnits} * kLinksPerUnit);
    take(sides_, std::size_t{kUnits} * kSideEntriesPerUnit);
    take(buckets_, kHashBuckets);
    take(page_buckets_, kPageBuckets);

    write_common_stubs();
    units_begin_ = code_.run + kCommonStubBytes + kNativeSlotBytes;
    native_slot_ = {code_.write + kCommonStubBytes, code_.run + kCommonStubBytes, kNativeSlotBytes};
    unit_bytes_ = ((code_.size - kCommonStubBytes - kNativeSlotBytes) / kUnits) & ~63U;
    flush();
    counters_ = {};
}

void TranslationCache::write_common_stubs() {
    CodeWriter w(code_.write, code_.run);
    indirect_miss_ = w.address();
    w.load_gs(Reg32::ecx, offsetof(GsArea, spill_ecx));
    w.store_gs_immediate(offsetof(GsArea, exit_info), exit_info(ExitKind::indirect));
    w.jump(exit_gate_);
    for (std::uint32_t c = 0; c < kDispatchClasses; ++c) {
        return_miss_[c] = w.address();
        w.load_below_stack(Reg32::ecx);
        w.store_gs(offsetof(GsArea, target), Reg32::ecx);
        w.store_gs(offsetof(GsArea, return_target), Reg32::ecx);
        w.dispatch_index();
        w.jump_table_gs(offsetof(GsArea, indirect_table) + c * kDispatchEntries * 4);
    }
}

std::uint8_t TranslationCache::find_context(const CodeContext& context) const {
    for (std::uint32_t i = 0; i < context_count_; ++i)
        if (contexts_[i] == context) return static_cast<std::uint8_t>(i);
    return kNoContext;
}

std::uint8_t TranslationCache::intern(const CodeContext& context) {
    if (const std::uint8_t known = find_context(context); known != kNoContext) return known;
    if (context_count_ == kMaxContexts) flush();
    contexts_[context_count_] = context;
    return static_cast<std::uint8_t>(context_count_++);
}

void TranslationCache::activate(std::uint8_t context) {
    const std::uint32_t c = contexts_[context].dispatch_class();
    if (active_[c] == context) return;
    active_[c] = context;
    reset_dispatch(c);
}

void TranslationCache::reset_dispatch(std::uint32_t c) {
    std::fill_n(gs_.indirect_table[c], kDispatchEntries, indirect_miss_);
    std::fill_n(gs_.return_cache[c], kDispatchEntries, return_miss_[c]);
    ++counters_.dispatch_resets;
}

FragmentId TranslationCache::find(std::uint32_t eip, std::uint8_t context) const {
    FragmentId id = buckets_[hash(eip, context)];
    while (id != kNone && (fragments_[id].eip != eip || fragments_[id].context != context)) id = fragments_[id].hash_next;
    return id;
}

FragmentId TranslationCache::find_by_address(std::uint32_t ccf) const {
    if (ccf < units_begin_ || ccf - units_begin_ >= unit_bytes_ * kUnits) return kNone;
    const std::uint32_t u = (ccf - units_begin_) / unit_bytes_;
    if (ccf >= units_[u].body) return kNone;
    const Fragment* first = fragments_ + u * kFragmentsPerUnit;
    const Fragment* last = first + units_[u].fragments;
    const Fragment* after = std::upper_bound(first, last, ccf, [](std::uint32_t a, const Fragment& f) { return a < f.ccf; });
    if (after == first) return kNone;
    const Fragment& f = after[-1];
    return ccf < f.ccf + f.ccf_length ? static_cast<FragmentId>(&f - fragments_) : kNone;
}

const SideEntry* TranslationCache::side_entry(const Fragment& f, std::uint32_t ccf) const {
    const SideEntry* first = sides_ + f.side_first;
    const SideEntry* last = first + f.side_count;
    const SideEntry* after =
        std::upper_bound(first, last, ccf - f.ccf, [](std::uint32_t a, const SideEntry& e) { return a < e.ccf_offset; });
    return after == first ? nullptr : after - 1;
}

void TranslationCache::patch(std::uint32_t field, std::uint32_t target) {
    const std::uint32_t relative = target - (field + 4);
    std::memcpy(writable(field), &relative, sizeof relative);
}

void TranslationCache::chain(LinkId id, FragmentId target) {
    Link& l = links_[id];
    if (l.to != kNone || l.field == 0) return;
    Fragment& f = fragments_[target];
    l.to = target;
    l.previous = kNone;
    l.next = f.incoming;
    if (l.next != kNone) links_[l.next].previous = id;
    f.incoming = id;
    patch(l.field, f.ccf);
    ++counters_.links_made;
}

void TranslationCache::cut(LinkId id) {
    Link& l = links_[id];
    if (l.to == kNone) return;
    if (l.previous != kNone) links_[l.previous].next = l.next;
    else fragments_[l.to].incoming = l.next;
    if (l.next != kNone) links_[l.next].previous = l.previous;
    l.to = kNone;
    patch(l.field, l.stub);
    ++counters_.links_cut;
}

/// Stub room in the fragment's own unit, so that both go together. 0: there is none, it stays a slow target.
std::uint32_t TranslationCache::take_entry(FragmentId id, std::uint32_t bytes) {
    Unit& unit = units_[id / kFragmentsPerUnit];
    if (unit.stub - unit.body < bytes + kJumpBytes) return 0;
    unit.stub -= bytes;
    return unit.stub;
}

void TranslationCache::make_indirect_target(FragmentId id) {
    Fragment& f = fragments_[id];
    const std::uint32_t c = contexts_[f.context].dispatch_class();
    if (f.indirect_entry == 0) {
        const bool heals = f.return_entry != 0;
        const std::uint32_t entry = take_entry(id, kTagCheckBytes + (heals ? kHealBytes : 0));
        if (entry == 0) return;
        CodeWriter w(writable(entry), entry);
        w.load_gs(Reg32::ecx, offsetof(GsArea, target));
        w.check_target(f.eip, indirect_miss_);
        // A return that comes here lost its place in the return cache to another one.
        if (heals)
            w.store_gs_immediate(offsetof(GsArea, return_cache) + (c * kDispatchEntries + (f.eip & kDispatchMask)) * 4,
                                 f.return_entry);
        w.jump(f.ccf);
        f.indirect_entry = entry;
        ++counters_.indirect_entries;
    }
    gs_.indirect_table[c][f.eip & kDispatchMask] = f.indirect_entry;
}

std::uint32_t TranslationCache::place_tag_check(std::uint32_t eip) {
    Unit& unit = units_[current_];
    const std::uint32_t entry = unit.body;
    CodeWriter w(writable(entry), entry);
    w.load_gs(Reg32::ecx, offsetof(GsArea, target));
    w.check_target(eip, indirect_miss_);
    unit.body = w.address();
    return entry;
}

bool TranslationCache::learn_target(LinkId id, FragmentId target) {
    Link& l = links_[id];
    const Fragment& from = fragments_[l.from];
    const std::uint32_t site = l.field - kSiteToField;
    const std::uint32_t match = site + kSiteBytes;
    CodeWriter w(writable(site), site);
    const bool first = l.target_eip == kNone;
    if (first) {
        std::uint32_t relative = 0;
        std::memcpy(&relative, writable(site) + 1, sizeof relative); // JMP to where unknown targets leave
        const std::uint32_t unknown = site + kJumpBytes + relative;
        l.target_eip = fragments_[target].eip;
        w.add_keeping_flags(Reg32::ecx, 0U - l.target_eip);
        w.jecxz(match);
        w.add_keeping_flags(Reg32::ecx, l.target_eip);
        w.jump(unknown);
        chain(id, target);
        ++counters_.sites_learned;
    } else {
        cut(id);
        w.store_gs(offsetof(GsArea, target), Reg32::ecx);
        const std::uint32_t c = contexts_[from.context].dispatch_class();
        w.dispatch_index();
        w.jump_table_gs(offsetof(GsArea, indirect_table) + c * kDispatchEntries * 4);
        ++counters_.sites_given_up;
    }
    w.nops_to(match);
    return !first;
}

void TranslationCache::make_return_target(FragmentId id) {
    Fragment& f = fragments_[id];
    const std::uint32_t c = contexts_[f.context].dispatch_class();
    if (f.return_entry == 0) {
        const std::uint32_t entry = take_entry(id, kReturnCheckBytes);
        if (entry == 0) return;
        CodeWriter w(writable(entry), entry);
        w.check_return(f.eip, return_miss_[c]);
        w.jump(f.ccf);
        f.return_entry = entry;
        ++counters_.return_entries;
    }
    enter_landing(c, f.eip, f.return_entry);
}

bool TranslationCache::overlaps(const Fragment& f, std::uint32_t cs_base, std::uint32_t slot, std::uint32_t first,
                                std::uint32_t last) {
    const std::uint32_t begin = (cs_base + f.eip) % kPageSize;
    const std::uint32_t end = begin + f.guest_length - 1;
    return slot == 0 ? begin <= last && std::min(end, kPageSize - 1) >= first : end - kPageSize >= first;
}

bool TranslationCache::covers(std::uint32_t page, std::uint32_t first, std::uint32_t last) const {
    for (std::uint32_t e = page_buckets_[page % kPageBuckets]; e != kNone; e = fragments_[e >> 1U].page_next[e & 1U]) {
        const Fragment& f = fragments_[e >> 1U];
        if (f.page[e & 1U] == page && overlaps(f, context(f.context).cs_base, e & 1U, first, last)) return true;
    }
    return false;
}

std::uint32_t TranslationCache::invalidate(std::uint32_t page, std::uint32_t first, std::uint32_t last) {
    std::uint32_t killed = 0;
    std::uint32_t e = page_buckets_[page % kPageBuckets];
    while (e != kNone) {
        const Fragment& f = fragments_[e >> 1U];
        const std::uint32_t next = f.page_next[e & 1U];
        if (f.page[e & 1U] == page && overlaps(f, context(f.context).cs_base, e & 1U, first, last)) {
            kill(e >> 1U);
            ++killed;
            // kill() may also have removed `next` (the same fragment's other page): start over, the list shrank.
            e = page_buckets_[page % kPageBuckets];
        } else {
            e = next;
        }
    }
    counters_.invalidated += killed;
    return killed;
}

template <typename Each>
void TranslationCache::for_each_at(const CodePlace& place, Each each) {
    std::uint32_t e = page_buckets_[place.page % kPageBuckets];
    while (e != kNone) {
        const Fragment& f = fragments_[e >> 1U];
        const std::uint32_t slot = e & 1U;
        const std::uint32_t next = f.page_next[slot];
        const bool here = f.page[slot] == place.page && context(f.context).view == place.view &&
                          linear_page(f) + slot == place.linear_page;
        // A change of the list means starting over.
        e = here && each(e >> 1U, slot) ? page_buckets_[place.page % kPageBuckets] : next;
    }
}

void TranslationCache::detach(const CodePlace& place) {
    for_each_at(place, [&](FragmentId id, std::uint32_t slot) {
        LinkId l = fragments_[id].incoming;
        while (l != kNone) {
            const LinkId next = links_[l].next;
            const Fragment& from = fragments_[links_[l].from];
            if (slot != 0 || from.page[1] != kNone || linear_page(from) != place.linear_page) cut(l);
            l = next;
        }
        return false;
    });
}

void TranslationCache::kill_place(const CodePlace& place) {
    for_each_at(place, [&](FragmentId id, std::uint32_t) {
        kill(id);
        ++counters_.invalidated;
        return true;
    });
}

void TranslationCache::kill_at(std::uint32_t linear) {
    for (std::uint32_t c = 0; c < context_count_; ++c) {
        const FragmentId id = find(linear - contexts_[c].cs_base, static_cast<std::uint8_t>(c));
        if (id == kNone) continue;
        kill(id);
        ++counters_.invalidated;
    }
}

void TranslationCache::kill_over(std::uint32_t linear) {
    for (std::uint32_t u = 0; u < kUnits; ++u)
        for (FragmentId id = u * kFragmentsPerUnit; id < u * kFragmentsPerUnit + units_[u].fragments; ++id) {
            const Fragment& f = fragments_[id];
            if (f.dead || linear - (context(f.context).cs_base + f.eip) >= f.guest_length) continue;
            kill(id);
            ++counters_.invalidated;
        }
}

void TranslationCache::unhash(FragmentId id) {
    FragmentId* at = &buckets_[hash(fragments_[id].eip, fragments_[id].context)];
    while (*at != id) at = &fragments_[*at].hash_next;
    *at = fragments_[id].hash_next;
}

void TranslationCache::unlist_page(FragmentId id, std::uint32_t slot) {
    const std::uint32_t entry = id << 1U | slot;
    std::uint32_t* at = &page_buckets_[fragments_[id].page[slot] % kPageBuckets];
    while (*at != entry) at = &fragments_[*at >> 1U].page_next[*at & 1U];
    *at = fragments_[id].page_next[slot];
}

void TranslationCache::kill(FragmentId id) {
    Fragment& f = fragments_[id];
    unhash(id);
    unlist_page(id, 0);
    if (f.page[1] != kNone) unlist_page(id, 1);
    while (f.incoming != kNone) cut(f.incoming);
    f.dead = true;
    retire_links_in_head(id);
    // Whatever still falls or dispatches into the body (the block before it, its tag check) leaves here.
    CodeWriter w(writable(f.ccf), f.ccf);
    Unit& unit = units_[id / kFragmentsPerUnit];
    if (unit.links < kLinksPerUnit && unit.stub - unit.body >= kLinkStubBytes) {
        const std::uint32_t saved = current_;
        current_ = id / kFragmentsPerUnit;
        const LinkId link = add_link(f.eip, f.eip);
        w.jump(links_[link].stub);
        links_[link].field = w.address() - 4;
        links_[link].from = id;
        current_ = saved;
    } else {
        // No room for a stub: every way in must go before the body may be reached again.
        evict(id / kFragmentsPerUnit);
    }
}

void TranslationCache::retire_links_in_head(FragmentId id) {
    const Fragment& f = fragments_[id];
    const Unit& unit = units_[id / kFragmentsPerUnit];
    const LinkId end = id / kFragmentsPerUnit * kLinksPerUnit + unit.links;
    for (LinkId l = f.link_first; l < end && links_[l].from == id; ++l) {
        if (links_[l].field - f.ccf >= kJumpBytes) continue;
        cut(l);
        links_[l].field = 0;
    }
}

void TranslationCache::open_unit(std::uint32_t u) {
    const std::uint32_t begin = units_begin_ + u * unit_bytes_;
    units_[u] = {begin, begin, begin + unit_bytes_, begin + unit_bytes_, 0, 0, 0, 0};
}

void TranslationCache::evict(std::uint32_t u) {
    Unit& unit = units_[u];
    const FragmentId first = u * kFragmentsPerUnit;
    for (LinkId l = u * kLinksPerUnit; l < u * kLinksPerUnit + unit.links; ++l) cut(l);
    for (FragmentId id = first; id < first + unit.fragments; ++id) {
        Fragment& f = fragments_[id];
        while (f.incoming != kNone) cut(f.incoming);
        if (f.dead) continue;
        unhash(id);
        unlist_page(id, 0);
        if (f.page[1] != kNone) unlist_page(id, 1);
        ++counters_.evicted_fragments;
    }
    const auto inside = [&](std::uint32_t address) { return address - unit.body_begin < unit_bytes_; };
    for (std::uint32_t c = 0; c < kDispatchClasses; ++c) {
        for (std::uint32_t& entry : gs_.indirect_table[c])
            if (inside(entry)) entry = indirect_miss_;
        for (std::uint32_t& entry : gs_.return_cache[c])
            if (inside(entry)) entry = return_miss_[c];
    }
    ++counters_.evicted_units;
    open_unit(u);
}

void TranslationCache::flush() {
    std::fill_n(buckets_, kHashBuckets, kNone);
    std::fill_n(page_buckets_, kPageBuckets, kNone);
    for (std::uint32_t u = 0; u < kUnits; ++u) open_unit(u);
    current_ = 0;
    context_count_ = 0;
    for (std::uint32_t c = 0; c < kDispatchClasses; ++c) {
        active_[c] = kNoContext;
        reset_dispatch(c);
    }
    ++counters_.flushes;
}

bool TranslationCache::block_fits() const {
    const Unit& unit = units_[current_];
    return unit.stub - unit.body >= kMaxBodyBytes + kMaxStubBytes && unit.fragments < kFragmentsPerUnit &&
           unit.links + 4 < kLinksPerUnit && unit.sides + 128 < kSideEntriesPerUnit;
}

TranslationCache::Block TranslationCache::begin_block(bool may_evict) {
    bool moved = false;
    if (!block_fits() && may_evict) {
        current_ = (current_ + 1) % kUnits;
        if (units_[current_].fragments != 0) evict(current_);
        moved = true;
    }
    units_[current_].block_links = units_[current_].links;
    return {writable(units_[current_].body), units_[current_].body, moved};
}

TranslationCache::Block TranslationCache::take_stub(std::uint32_t bytes) {
    Unit& unit = units_[current_];
    unit.stub -= bytes;
    return {writable(unit.stub), unit.stub, false};
}

LinkId TranslationCache::add_link(std::uint32_t target_eip, std::uint32_t branch_eip) {
    Unit& unit = units_[current_];
    const LinkId id = current_ * kLinksPerUnit + unit.links++;
    const Block stub = take_stub(kLinkStubBytes);
    CodeWriter w(stub.write, stub.run);
    w.store_gs_immediate(offsetof(GsArea, exit_info), exit_info(ExitKind::link, id));
    w.jump(exit_gate_);
    const FragmentId from = current_ * kFragmentsPerUnit + unit.fragments;
    links_[id] = {0, stub.run, target_eip, branch_eip, from, kNone, kNone, kNone};
    return id;
}

void TranslationCache::add_side_entry(SideEntry entry) {
    sides_[current_ * kSideEntriesPerUnit + units_[current_].sides++] = entry;
}

FragmentId TranslationCache::end_block(const Fragment& made) {
    Unit& unit = units_[current_];
    const FragmentId id = current_ * kFragmentsPerUnit + unit.fragments++;
    Fragment& f = fragments_[id];
    f = made;
    f.dead = false;
    f.indirect_entry = 0;
    f.incoming = kNone;
    f.side_first = current_ * kSideEntriesPerUnit + unit.sides - f.side_count;
    f.ccf = unit.body;
    f.link_first = current_ * kLinksPerUnit + unit.block_links;
    unit.body += f.ccf_length;
    const std::uint32_t bucket = hash(f.eip, f.context);
    f.hash_next = buckets_[bucket];
    buckets_[bucket] = id;
    for (std::uint32_t slot = 0; slot < 2; ++slot) {
        if (f.page[slot] == kNone) continue;
        const std::uint32_t page_bucket = f.page[slot] % kPageBuckets;
        f.page_next[slot] = page_buckets_[page_bucket];
        page_buckets_[page_bucket] = id << 1U | slot;
    }
    ++counters_.fragments;
    counters_.guest_instructions += f.instruction_count;
    counters_.identical_instructions += f.identical_count;
    counters_.guest_bytes += f.guest_length;
    counters_.code_bytes += f.ccf_length;
    return id;
}

void TranslationCache::append_exit(FragmentId id, std::uint32_t target_eip) {
    Unit& unit = units_[id / kFragmentsPerUnit];
    const LinkId link = add_link(target_eip, target_eip);
    links_[link].from = id;
    CodeWriter w(writable(unit.body), unit.body);
    w.jump(links_[link].stub);
    links_[link].field = w.address() - 4;
    unit.body += w.size();
    fragments_[id].ccf_length = static_cast<std::uint16_t>(fragments_[id].ccf_length + w.size());
    counters_.code_bytes += w.size();
}

} // namespace ringone::translator
