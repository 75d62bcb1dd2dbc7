// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "translator/cache.hpp"
#include "translator/plan.hpp"
#include "vmm/monitor/guest_memory.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace ringone::vmm {

struct CodeViewCounters {
    std::uint64_t walks, rechecks, pages_rechecked, pages_hidden, pages_moved, views_opened, views_shared;
};

/// Which guest-physical page lies behind each linear page that was translated: what an instruction TLB is to
/// hardware. Fragments know linear addresses and are chained to one another; a view is a set of translations they
/// agree on. The supervisor has one view, user programs have several: spaces whose code lies alike share one (a
/// child and its parent, two runs of one program). At a CR3 load or INVLPG the pages of the views in force are
/// compared with the guest's tables; one that is no longer mapped alike is hidden: all ways into its code are cut.
class CodeViews final : public translator::CodeSource {
public:
    [[nodiscard]] static std::size_t metadata_bytes();
    CodeViews(translator::TranslationCache& cache, GuestMemory& memory, std::span<std::byte> metadata);

    /// The view in force for user or supervisor code (CodeContext::view).
    [[nodiscard]] std::uint8_t current(bool user) const { return user ? user_view_ : kSupervisorView; }

    /// Makes sure that code at the linear page may run as the view in force has it; may change the user view.
    /// A fault: the guest's #PF. Not while a block is being translated.
    [[nodiscard]] MaybeFault enter(bool user, std::uint32_t linear_page);

    /// As enter() for a page that is known to be visible.
    void select(bool user) { entered_view_ = current(user); }

    /// CodeSource, for code of the privilege that enter() or select() was called with last.
    [[nodiscard]] std::uint32_t fetch(std::uint32_t linear, std::span<std::uint8_t> to) override;
    [[nodiscard]] std::uint32_t physical_page(std::uint32_t linear) override;
    /// Why fetch() delivered nothing: a fault, or none when enter() has something to put right first.
    [[nodiscard]] const MaybeFault& fetch_fault() const { return fetch_fault_; }

    /// Translations have been flushed by a load of CR3 (or by more: `global` ones too); `root` is CR3 now.
    void recheck(std::uint32_t root, bool global);
    /// INVLPG.
    void recheck_page(std::uint32_t linear_page);

    [[nodiscard]] const CodeViewCounters& counters() const { return counters_; }

private:
    static constexpr std::uint32_t kViews = 24; ///< the supervisor's, and users'
    static constexpr std::uint8_t kSupervisorView = 0;
    static constexpr std::uint32_t kPages = 4096; ///< a view
    static constexpr std::uint32_t kBuckets = 1024;
    static constexpr std::uint16_t kNoPage = 0xFFFF;
    static constexpr std::uint32_t kBindings = 64;

    struct Page {
        std::uint32_t linear;
        std::uint32_t ram;
        std::uint16_t next;
        bool visible;
        bool global;
    };
    struct View {
        Page pages[kPages];
        std::uint16_t buckets[kBuckets];
        std::uint32_t count;
        std::uint32_t visible; ///< of a user view: as the space in force sees it
        std::uint64_t last_used;
    };
    struct Binding {
        std::uint32_t root;
        std::uint8_t view;
        std::uint64_t last_used;
    };
    enum class Seen : std::uint8_t { visible, faulted, conflict };

    [[nodiscard]] static AccessPrivilege privilege(std::uint32_t view) {
        return view == kSupervisorView ? AccessPrivilege::supervisor : AccessPrivilege::user;
    }
    [[nodiscard]] Page* find(std::uint32_t view, std::uint32_t linear_page);
    [[nodiscard]] Seen see(std::uint32_t view, std::uint32_t linear_page);
    [[nodiscard]] MaybeFault resolve_conflict(bool user, std::uint32_t linear_page);
    [[nodiscard]] bool choose_user_view(std::uint32_t linear_page, std::uint32_t ram);
    [[nodiscard]] std::uint8_t oldest_view() const;
    void bind(std::uint8_t view);
    void clear(std::uint32_t view);
    void hide(std::uint32_t view, Page& page);
    void recheck_view(std::uint32_t view, bool global);
    void check(std::uint32_t view, Page& page);
    void reset_if_cut();

    translator::TranslationCache& cache_;
    GuestMemory& memory_;
    View* views_;
    Binding bindings_[kBindings]{};
    std::uint64_t now_ = 0;
    std::uint32_t root_ = 0;
    std::uint8_t user_view_ = 1;
    std::uint8_t entered_view_ = 0;
    bool supervisor_cut_ = false, user_cut_ = false;
    MaybeFault fetch_fault_;
    CodeViewCounters counters_{};
};

} // namespace ringone::vmm
