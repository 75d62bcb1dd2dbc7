// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "vmm/monitor/guest_memory.hpp"

#include <algorithm>
#include <cstring>

namespace ringone::vmm {
namespace {

constexpr std::uint32_t kPage = 4096;
constexpr std::uint32_t kLeastRuns = 16; // of a ShadowConfig, and of World::max_runs()
/// More than a program that only passes something on touches before the next one's turn.
constexpr std::uint32_t kEagerRuns = 12;
constexpr auto kCodeTrace = mmu::Trace::translated_code;
constexpr auto kTableTrace = mmu::Trace::descriptor_table;

/// Splits [linear, linear + bytes) at page borders, wrapping at 4 GiB, and calls each(address, offset, bytes) until
/// one faults.
template <typename Each>
MaybeFault for_each_page(std::uint32_t linear, std::size_t bytes, Each each) {
    std::size_t done = 0;
    while (done < bytes) {
        const auto at = static_cast<std::uint32_t>(linear + done);
        const std::size_t now = std::min<std::size_t>(bytes - done, kPage - at % kPage);
        if (const MaybeFault fault = each(at, done, now)) return fault;
        done += now;
    }
    return {};
}

bool one_page(std::uint32_t linear, std::size_t bytes) { return linear % kPage + bytes <= kPage; }

/// The widest naturally aligned access of at most `left` bytes at `address`.
std::uint32_t access_size(std::uint64_t address, std::size_t left) {
    if (left >= 4 && address % 4 == 0) return 4;
    return left >= 2 && address % 2 == 0 ? 2 : 1;
}

constexpr std::uint64_t kBusEnd = 1ULL << 32U; ///< devices have 32-bit addresses

} // namespace

mmu::ShadowConfig GuestMemory::config(std::uint32_t ram_pages, std::uint32_t guest_limit,
                                      const MemorySwitches& switches) {
    mmu::ShadowConfig c;
    c.ram_pages = ram_pages;
    c.linear_limit = guest_limit / kPage;
    c.eager_runs = switches.eager_spaces ? kEagerRuns : 0;
    return c;
}

std::size_t GuestMemory::metadata_bytes(std::uint32_t ram_pages) {
    return ram_pages + alignof(std::max_align_t) + Mmu::arena_bytes(config(ram_pages, 0, {}));
}

GuestMemory::GuestMemory(World& world, HostServices& services, translator::TranslationCache& cache,
                         Breakpoints& breakpoints, std::span<std::byte> metadata, const MemorySwitches& switches)
    : world_(world), services_(services), cache_(cache), breakpoints_(breakpoints), ram_(world),
      mappings_(world, breakpoints),
      data_writes_(reinterpret_cast<std::uint8_t*>(metadata.data())),
      mmu_(
          [&] {
              mmu::ShadowConfig c = config(world.ram_pages(), world.zone().guest_limit, switches);
              // Where there are no runs to spare, breakpoints use what the world keeps for its host's own mappings.
              c.max_runs = std::min(c.max_runs, std::max(kLeastRuns, world.max_runs() - WorldMappings::kSpareRuns));
              return c;
          }(),
          ram_, mappings_, [&] {
          const std::size_t skip = world.ram_pages() + alignof(std::max_align_t);
          const auto at = reinterpret_cast<std::uintptr_t>(metadata.data()) + skip;
          return metadata.subspan(skip - at % alignof(std::max_align_t));
      }()),
      user_limit_(world.zone().guest_limit) {
    std::memset(data_writes_, 0, world_.ram_pages());
}

mmu::Access GuestMemory::access(AccessType type, AccessPrivilege privilege) {
    const auto kind = type == AccessType::read    ? mmu::AccessType::read
                      : type == AccessType::write ? mmu::AccessType::write
                                                  : mmu::AccessType::fetch;
    return {.type = kind, .user = privilege == AccessPrivilege::user};
}

MaybeFault GuestMemory::translate(std::uint32_t linear, AccessType type, AccessPrivilege privilege,
                                  mmu::GuestPhysical& physical) {
    const mmu::Walk walked = mmu_.translate({linear}, access(type, privilege));
    if (walked.faulted) return GuestFault::page(linear, walked.error_code);
    physical = walked.physical({linear});
    return {};
}

/// An access that crosses pages is all or nothing: does any page after the first one fault?
MaybeFault GuestMemory::translate_others(std::uint32_t linear, std::size_t bytes, AccessType type,
                                         AccessPrivilege privilege) {
    if (one_page(linear, bytes)) return {};
    return for_each_page(linear, bytes, [&](std::uint32_t at, std::size_t, std::size_t) {
        mmu::GuestPhysical physical;
        return translate(at, type, privilege, physical);
    });
}

MaybeFault GuestMemory::read(std::uint32_t linear, std::span<std::byte> to, AccessPrivilege privilege) {
    breakpoints_.access(linear, to.size(), AccessType::read);
    if (one_page(linear, to.size())) {
        KnownRead& known = known_reads_[linear / kPage % kKnownReads];
        if (known.tag != read_tag(linear, privilege)) {
            mmu::GuestPhysical physical;
            if (const MaybeFault fault = translate(linear, AccessType::read, privilege, physical)) return fault;
            if (!ram_.ram_page(physical)) {
                read_physical(physical, to);
                return {};
            }
            known = {read_tag(linear, privilege), ram_.bytes({physical.address & ~std::uint64_t{kPage - 1}})};
            reads_known_ = true;
        }
        std::memcpy(to.data(), known.bytes + linear % kPage, to.size());
        return {};
    }
    if (const MaybeFault fault = translate_others(linear, to.size(), AccessType::read, privilege)) return fault;
    return for_each_page(linear, to.size(), [&](std::uint32_t at, std::size_t offset, std::size_t bytes) -> MaybeFault {
        mmu::GuestPhysical physical;
        if (const MaybeFault fault = translate(at, AccessType::read, privilege, physical)) return fault;
        read_physical(physical, to.subspan(offset, bytes));
        return {};
    });
}

MaybeFault GuestMemory::write(std::uint32_t linear, std::span<const std::byte> from, AccessPrivilege privilege) {
    breakpoints_.access(linear, from.size(), AccessType::write);
    if (const MaybeFault fault = translate_others(linear, from.size(), AccessType::write, privilege)) return fault;
    return for_each_page(linear, from.size(), [&](std::uint32_t at, std::size_t offset, std::size_t bytes) -> MaybeFault {
        mmu::GuestPhysical physical;
        if (const MaybeFault fault = translate(at, AccessType::write, privilege, physical)) return fault;
        write_physical(physical, from.subspan(offset, bytes));
        return {};
    });
}

MaybeFault GuestMemory::probe(std::uint32_t linear, std::uint32_t bytes, AccessType type, AccessPrivilege privilege) {
    return for_each_page(linear, bytes, [&](std::uint32_t at, std::size_t, std::size_t) {
        mmu::GuestPhysical physical;
        return translate(at, type, privilege, physical);
    });
}

void GuestMemory::read_physical(mmu::GuestPhysical at, std::span<std::byte> to) {
    if (ram_.ram_page(at)) {
        std::memcpy(to.data(), ram_.bytes(at), to.size());
        return;
    }
    world_.begin_host_call();
    while (!to.empty()) {
        const std::uint32_t size = access_size(at.address, to.size());
        const std::uint32_t value =
            at.address < kBusEnd ? services_.mmio_read(static_cast<std::uint32_t>(at.address), size) : 0xFFFFFFFF;
        std::memcpy(to.data(), &value, size);
        ++counters_.mmio_accesses;
        at.address += size;
        to = to.subspan(size);
    }
    world_.end_host_call();
}

void GuestMemory::write_physical(mmu::GuestPhysical at, std::span<const std::byte> from) {
    if (ram_.ram_page(at)) {
        write_ram(at, from);
        return;
    }
    world_.begin_host_call();
    while (!from.empty()) {
        const std::uint32_t size = access_size(at.address, from.size());
        std::uint32_t value = 0;
        std::memcpy(&value, from.data(), size);
        if (at.address < kBusEnd) services_.mmio_write(static_cast<std::uint32_t>(at.address), size, value);
        ++counters_.mmio_accesses;
        at.address += size;
        from = from.subspan(size);
    }
    world_.end_host_call();
}

void GuestMemory::write_ram(mmu::GuestPhysical at, std::span<const std::byte> from) {
    std::memcpy(ram_.bytes(at), from.data(), from.size());
    const auto page = static_cast<std::uint32_t>(at.address / kPage);
    if (page == table_page_) table_changed_ = true;
    if ((mmu_.traces({page}) & static_cast<std::uint8_t>(kCodeTrace)) == 0) return;
    const auto first = static_cast<std::uint32_t>(at.address % kPage);
    const auto last = static_cast<std::uint32_t>(first + from.size() - 1);
    if (cache_.invalidate(page, first, last) > 0) {
        ++counters_.code_writes;
        if (!cache_.page_has_code(page)) release(page);
    } else {
        ++counters_.data_writes_on_code_pages;
        if (++data_writes_[page] >= kDataWritesBeforeRelease) {
            (void)cache_.invalidate(page, 0, kPage - 1);
            release(page);
        }
    }
}

void GuestMemory::release(std::uint32_t page) {
    data_writes_[page] = 0;
    mmu_.unprotect_page({page}, kCodeTrace);
    ++counters_.pages_released;
}

void GuestMemory::trace_code(std::uint32_t page) {
    if (page != CodePage::kNotRam && mmu_.protect_page({page}, kCodeTrace)) ++counters_.pages_traced;
}

/// The RAM page that a supervisor access to the linear page would find, without setting A; kNoPage: none.
std::uint32_t GuestMemory::ram_page_at(std::uint32_t linear_page) {
    const mmu::PagingContext& context = mmu_.context();
    const mmu::GuestVirtual linear{linear_page * kPage};
    mmu::Translation translation = mmu::identity(linear);
    if (context.mode != mmu::PagingMode::none) {
        const mmu::TableEntry directory = mmu::read_directory_entry(ram_, context, linear);
        const std::optional<mmu::Translation> found = mmu::look_up(ram_, context, directory.value, linear);
        if (!found) return kNoPage;
        translation = *found;
    }
    const std::optional<mmu::RamPage> ram = ram_.ram_page(translation.page);
    return ram ? ram->number : kNoPage;
}

bool GuestMemory::watch_table(std::uint32_t linear_page) {
    const std::uint32_t page = ram_page_at(linear_page);
    if (page == table_page_ && linear_page == table_linear_) return page != kNoPage;
    table_changed_ = true;
    if (table_page_ != kNoPage && table_page_ != page) mmu_.unprotect_page({table_page_}, kTableTrace);
    table_linear_ = linear_page;
    table_page_ = page;
    return page != kNoPage && mmu_.protect_page({page}, kTableTrace);
}

/// The translations may have changed: does the same page still lie there?
void GuestMemory::check_table() {
    if (table_linear_ == kNoPage || ram_page_at(table_linear_) == table_page_) return;
    table_changed_ = true;
    if (table_page_ != kNoPage) mmu_.unprotect_page({table_page_}, kTableTrace);
    table_linear_ = table_page_ = kNoPage;
}

MaybeFault GuestMemory::fetch_page(std::uint32_t linear_page, AccessPrivilege privilege, CodePage& page) {
    const std::uint32_t linear = linear_page * kPage;
    const mmu::Walk walked = mmu_.translate({linear}, access(AccessType::fetch, privilege));
    if (walked.faulted) return GuestFault::page(linear, walked.error_code);
    const std::optional<mmu::RamPage> ram = ram_.ram_page(walked.translation.page);
    page.page = ram ? ram->number : CodePage::kNotRam;
    page.global = walked.translation.global && mmu_.context().global_pages;
    return {};
}

std::optional<CodePage> GuestMemory::peek_code(std::uint32_t linear_page, AccessPrivilege privilege) {
    const mmu::PagingContext& context = mmu_.context();
    const mmu::GuestVirtual linear{linear_page * kPage};
    mmu::Translation translation = mmu::identity(linear);
    if (context.mode != mmu::PagingMode::none) {
        const mmu::TableEntry directory = mmu::read_directory_entry(ram_, context, linear);
        const std::optional<mmu::Translation> found = mmu::look_up(ram_, context, directory.value, linear);
        if (!found || !found->accessed || !mmu::allows(context, *found, access(AccessType::fetch, privilege))) return {};
        translation = *found;
    }
    const std::optional<mmu::RamPage> ram = ram_.ram_page(translation.page);
    return CodePage{ram ? ram->number : CodePage::kNotRam, translation.global && context.global_pages};
}

std::uint32_t GuestMemory::copy_code(const CodePage& page, std::uint32_t offset, std::span<std::uint8_t> to) const {
    const auto bytes = static_cast<std::uint32_t>(std::min<std::size_t>(to.size(), kPage - offset));
    if (page.page == CodePage::kNotRam) std::memset(to.data(), 0xFF, bytes);
    else std::memcpy(to.data(), ram_.bytes({std::uint64_t{page.page} * kPage + offset}), bytes);
    return bytes;
}

bool GuestMemory::load_control(const VCpu& next, PagingChange change) {
    forget_reads();
    const bool loaded =
        mmu_.load_control({.cr0 = next.cr0, .cr3 = next.cr3, .cr4 = next.cr4, .efer = next.efer},
                          {.flush_global = change.flush_global, .load_pdptes = change.load_pdptes});
    check_table();
    return loaded;
}

void GuestMemory::set_user(bool user) {
    if (user == user_) return;
    user_ = user;
    if (user && user_limit_ == world_.zone().guest_limit) {
        // The lowest supervisor page that the kernel has used by the time its first program runs is the border of its
        // layout; should it use lower ones later, they are hidden page by page.
        const std::uint32_t lowest = mmu_.lowest_supervisor_page().number * kPage;
        if (lowest >= kLeastUserLimit) {
            user_limit_ = lowest;
            mmu_.set_user_limit({lowest / kPage});
        }
    }
    mmu_.set_privilege(user);
}

} // namespace ringone::vmm
