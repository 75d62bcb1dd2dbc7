// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "vmm/monitor/code_views.hpp"

#include <algorithm>

namespace ringone::vmm {
namespace {

constexpr std::uint32_t kPage = 4096;
constexpr std::uint32_t kSupervisorClass = 0, kUserClass = 1; // CodeContext::dispatch_class()

} // namespace

std::size_t CodeViews::metadata_bytes() { return kViews * sizeof(View) + alignof(View); }

CodeViews::CodeViews(translator::TranslationCache& cache, GuestMemory& memory, std::span<std::byte> metadata)
    : cache_(cache), memory_(memory) {
    const auto at = reinterpret_cast<std::uintptr_t>(metadata.data());
    views_ = reinterpret_cast<View*>(metadata.data() + (alignof(View) - at % alignof(View)) % alignof(View));
    for (std::uint32_t v = 0; v < kViews; ++v) {
        std::fill_n(views_[v].buckets, kBuckets, kNoPage);
        views_[v].count = views_[v].visible = 0;
        views_[v].last_used = 0;
    }
}

CodeViews::Page* CodeViews::find(std::uint32_t view, std::uint32_t linear_page) {
    View& v = views_[view];
    std::uint16_t at = v.buckets[linear_page % kBuckets];
    while (at != kNoPage && v.pages[at].linear != linear_page) at = v.pages[at].next;
    return at == kNoPage ? nullptr : &v.pages[at];
}

/// Looks a page up in the view, or in the guest's tables and then enters it. Changes no fragment.
CodeViews::Seen CodeViews::see(std::uint32_t view, std::uint32_t linear_page) {
    Page* page = find(view, linear_page);
    if (page != nullptr && page->visible) return Seen::visible;
    ++counters_.walks;
    CodePage now;
    fetch_fault_ = memory_.fetch_page(linear_page, privilege(view), now);
    if (fetch_fault_) return Seen::faulted;
    View& v = views_[view];
    if (page == nullptr) {
        const bool another_program = view != kSupervisorView && v.visible == 0 && v.count != 0;
        if (v.count == kPages || another_program) return Seen::conflict;
        page = &v.pages[v.count];
        *page = {linear_page, now.page, v.buckets[linear_page % kBuckets], true, now.global};
        v.buckets[linear_page % kBuckets] = static_cast<std::uint16_t>(v.count++);
        ++v.visible;
        return Seen::visible;
    }
    if (page->ram != now.page) return Seen::conflict;
    page->visible = true;
    page->global = now.global;
    ++v.visible;
    return Seen::visible;
}

MaybeFault CodeViews::enter(bool user, std::uint32_t linear_page) {
    entered_view_ = current(user);
    switch (see(entered_view_, linear_page)) {
    case Seen::visible: return {};
    case Seen::faulted: return fetch_fault_;
    case Seen::conflict: return resolve_conflict(user, linear_page);
    }
    return {};
}

MaybeFault CodeViews::resolve_conflict(bool user, std::uint32_t linear_page) {
    CodePage now;
    if (const MaybeFault fault = memory_.fetch_page(linear_page, privilege(current(user)), now)) return fault;
    if (!user || !choose_user_view(linear_page, now.page)) {
        const std::uint8_t view = current(user);
        if (Page* page = find(view, linear_page); page != nullptr) {
            ++counters_.pages_moved;
            cache_.kill_place({view, linear_page, page->ram});
            page->ram = now.page;
        } else {
            clear(view); // it is full
        }
    }
    entered_view_ = current(user);
    return see(entered_view_, linear_page) == Seen::faulted ? fetch_fault_ : MaybeFault{};
}

/// Another view for the space in force, where its code lies as this page does; a fresh one where it is another
/// program than its view was made for. False: the view in force is the best there is.
bool CodeViews::choose_user_view(std::uint32_t linear_page, std::uint32_t ram) {
    std::uint8_t best = 0;
    for (std::uint8_t v = 1; v < kViews; ++v) {
        if (v == user_view_) continue;
        const Page* page = find(v, linear_page);
        if (page == nullptr || page->ram != ram) continue;
        if (best == 0 || views_[v].last_used > views_[best].last_used) best = v;
    }
    if (best != 0) {
        ++counters_.views_shared;
    } else {
        if (views_[user_view_].visible != 0) return false;
        best = oldest_view();
        clear(best);
        ++counters_.views_opened;
    }
    bind(best);
    recheck_view(best, true);
    reset_if_cut();
    return true;
}

std::uint8_t CodeViews::oldest_view() const {
    std::uint8_t oldest = user_view_ == 1 ? 2 : 1;
    for (std::uint8_t v = 1; v < kViews; ++v)
        if (v != user_view_ && views_[v].last_used < views_[oldest].last_used) oldest = v;
    return oldest;
}

void CodeViews::bind(std::uint8_t view) {
    Binding* slot = bindings_;
    for (Binding& b : bindings_) {
        if (b.last_used != 0 && b.root == root_) {
            slot = &b;
            break;
        }
        if (b.last_used < slot->last_used) slot = &b;
    }
    *slot = {root_, view, ++now_};
    views_[view].last_used = now_;
    user_view_ = view;
}

void CodeViews::clear(std::uint32_t view) {
    View& v = views_[view];
    for (std::uint32_t i = 0; i < v.count; ++i)
        cache_.kill_place({static_cast<std::uint8_t>(view), v.pages[i].linear, v.pages[i].ram});
    std::fill_n(v.buckets, kBuckets, kNoPage);
    v.count = v.visible = 0;
}

void CodeViews::hide(std::uint32_t view, Page& page) {
    page.visible = false;
    --views_[view].visible;
    ++counters_.pages_hidden;
    cache_.detach({static_cast<std::uint8_t>(view), page.linear, page.ram});
    (view == kSupervisorView ? supervisor_cut_ : user_cut_) = true;
}

void CodeViews::check(std::uint32_t view, Page& page) {
    if (!page.visible) return;
    ++counters_.pages_rechecked;
    const std::optional<CodePage> now = memory_.peek_code(page.linear, privilege(view));
    if (now && now->page == page.ram) page.global = now->global;
    else hide(view, page);
}

void CodeViews::recheck_view(std::uint32_t view, bool global) {
    ++counters_.rechecks;
    View& v = views_[view];
    for (std::uint32_t i = 0; i < v.count; ++i)
        if (global || !v.pages[i].global) check(view, v.pages[i]);
}

void CodeViews::recheck(std::uint32_t root, bool global) {
    recheck_view(kSupervisorView, global);
    if (root != root_) {
        root_ = root;
        const Binding* bound = std::find_if(bindings_, bindings_ + kBindings,
                                            [&](const Binding& b) { return b.last_used != 0 && b.root == root; });
        bind(bound != bindings_ + kBindings ? bound->view : user_view_);
    }
    recheck_view(user_view_, true);
    reset_if_cut();
}

void CodeViews::recheck_page(std::uint32_t linear_page) {
    for (const std::uint32_t view : {std::uint32_t{kSupervisorView}, std::uint32_t{user_view_}})
        if (Page* page = find(view, linear_page)) check(view, *page);
    reset_if_cut();
}

void CodeViews::reset_if_cut() {
    if (supervisor_cut_) cache_.reset_dispatch(kSupervisorClass);
    if (user_cut_) cache_.reset_dispatch(kUserClass);
    supervisor_cut_ = user_cut_ = false;
}

std::uint32_t CodeViews::fetch(std::uint32_t linear, std::span<std::uint8_t> to) {
    const std::uint32_t linear_page = linear / kPage;
    fetch_fault_.reset();
    if (see(entered_view_, linear_page) != Seen::visible) return 0;
    const Page& page = *find(entered_view_, linear_page);
    return memory_.copy_code({page.ram, page.global}, linear % kPage, to);
}

std::uint32_t CodeViews::physical_page(std::uint32_t linear) {
    const Page* page = find(entered_view_, linear / kPage);
    if (page == nullptr) return CodePage::kNotRam; // fetch() has delivered from it: it is there
    memory_.trace_code(page->ram);
    return page->ram;
}

} // namespace ringone::vmm
