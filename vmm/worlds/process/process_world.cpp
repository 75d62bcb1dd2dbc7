// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "vmm/worlds/process/process_world.hpp"

#include "vmm/worlds/process/mapping_limit.hpp"
#include "vmm/worlds/process/signals.hpp"

#include <algorithm>
#include <asm/ldt.h>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <immintrin.h>
#include <new>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

extern "C" void ringone_gate_enter(ringone::vmm::GuestContext* context);
extern "C" const char ringone_gate_exit[];

namespace ringone::vmm {
namespace {

constexpr std::uint32_t kPage = 4096;
constexpr std::uint64_t kFourGiB = 1ULL << 32U;
constexpr std::uint32_t kCodeEntry = 0; ///< LDT index of the fragments' code segment
constexpr std::uint32_t kGsEntry = 1;
/// Mappings up to this size are populated: what is mapped page by page is about to be used; of a long run perhaps little.
constexpr std::size_t kPopulateBytes = 8 * kPage;
constexpr std::size_t kSignalStackBytes = 128 * 1024;
constexpr std::uint16_t kUserCode64 = 0x33;
constexpr unsigned long kHwcap2FsGsBase = 1U << 1U; // AT_HWCAP2 bit 1, Linux Documentation/x86/x86_64/fsgs.rst
constexpr std::uint32_t kGatePage = kPage;
constexpr std::uint32_t kUsualMmapMinAddr = 65536;
constexpr std::uint32_t kLeastRuns = 16; // of World::max_runs()

constexpr std::uint16_t ldt_selector(std::uint32_t entry) { return static_cast<std::uint16_t>(entry << 3U | 7U); }

bool write_ldt(const user_desc& d) { return syscall(SYS_modify_ldt, 0x11, &d, sizeof d) == 0; }

int host_protection(Protection p) {
    switch (p) {
    case Protection::none: return PROT_NONE;
    case Protection::read: return PROT_READ;
    case Protection::read_write: return PROT_READ | PROT_WRITE;
    }
    return PROT_NONE;
}

void* linear_pointer(std::uint64_t linear) { return reinterpret_cast<void*>(linear); }

/// Linear space where nothing is mapped, and which the rest of the process does not get.
bool reserve(void* begin, std::size_t bytes, int fixed) {
    void* const got = mmap(begin, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | fixed, -1, 0);
    if (got == begin) return true;
    if (got != MAP_FAILED) munmap(got, bytes); // a kernel that takes MAP_FIXED_NOREPLACE's address for a hint
    return false;
}

} // namespace

ProcessWorld* ProcessWorld::create(const Config& config, const char** error) {
    auto* world = new (std::nothrow) ProcessWorld(config);
    *error = world == nullptr ? "out of memory" : world->set_up();
    if (*error == nullptr) return world;
    delete world;
    return nullptr;
}

const char* ProcessWorld::set_up() {
    if ((getauxval(AT_HWCAP2) & kHwcap2FsGsBase) == 0)
        return "this host's kernel does not let programs set their FS base (FSGSBASE, Linux 5.9 or later)";
    if (const char* e = set_up_memory()) return e;
    if (const char* e = set_up_zone()) return e;
    if (const char* e = set_up_segments()) return e;
    if (const char* e = set_up_signals()) return e;
    return set_up_limits(); // last, with all of its own mappings there
}

bool ProcessWorld::reserve_linear_space() {
    // There since the start for a program with MMAP_PAGE_ZERO in its personality; newer kernels seal it.
    if (munmap(nullptr, kPage) != 0) return false;
    // Usual values of vm.mmap_min_addr; 0 also stands for a privileged process, which may map there whatever it is.
    constexpr std::uint32_t kFloors[] = {0, kPage, kUsualMmapMinAddr};
    for (const std::uint32_t floor : kFloors) {
        if (config_.low_memory == LowMemory::emulated && floor != kUsualMmapMinAddr) continue;
        if (reserve(linear_pointer(floor), kFourGiB - floor, MAP_FIXED_NOREPLACE)) {
            zone_.guest_floor = floor;
            return true;
        }
    }
    return false;
}

const char* ProcessWorld::set_up_memory() {
    low_reserved_ = reserve_linear_space();
    if (!low_reserved_ && errno == ENOMEM)
        return "the host gives this process no 4 GiB of address space (ulimit -v, or vm.overcommit_memory = 2)";
    if (!low_reserved_)
        return "the low 4 GiB of this process are not free (is vm.mmap_min_addr above 65536, or a tool like ASan in them?)";
    ram_pages_ = config_.ram_bytes / kPage;
    ram_fd_ = static_cast<int>(syscall(SYS_memfd_create, "ringone-ram", 1U /* MFD_CLOEXEC */));
    if (ram_fd_ < 0 || ftruncate(ram_fd_, config_.ram_bytes) != 0) return "cannot make the guest's memory (memfd)";
    void* view = mmap(nullptr, config_.ram_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ram_fd_, 0);
    if (view == MAP_FAILED) return "cannot map the guest's memory";
    ram_ = static_cast<std::uint8_t*>(view);
    return nullptr;
}

const char* ProcessWorld::set_up_zone() {
    const std::uint64_t begin = config_.zone_limit;
    zone_bytes_ = static_cast<std::uint32_t>(kFourGiB - begin);
    const std::uint32_t gs_bytes = (sizeof(translator::GsArea) + kPage - 1) / kPage * kPage;
    const int fd = static_cast<int>(syscall(SYS_memfd_create, "ringone-zone", 1U));
    if (fd < 0 || ftruncate(fd, zone_bytes_) != 0) return "cannot make the monitor zone (memfd)";
    void* write = mmap(nullptr, zone_bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    auto* run = reinterpret_cast<std::uint8_t*>(begin);
    const bool mapped =
        write != MAP_FAILED &&
        mmap(run, gs_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == run &&
        mmap(run + gs_bytes, zone_bytes_ - gs_bytes, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED, fd, gs_bytes) ==
            run + gs_bytes;
    close(fd);
    if (write != MAP_FAILED) zone_write_ = static_cast<std::uint8_t*>(write);
    if (!mapped) return "cannot map the monitor zone (is executable shared memory forbidden on this host?)";

    zone_.guest_limit = config_.zone_limit;
    zone_.gs = ::new (zone_write_) translator::GsArea{};
    zone_.exit_gate = static_cast<std::uint32_t>(begin) + gs_bytes;
    zone_.code = {zone_write_ + gs_bytes + kGatePage, zone_.exit_gate + kGatePage, zone_bytes_ - gs_bytes - kGatePage};

    context_ = static_cast<GuestContext*>(
        mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (context_ == MAP_FAILED) {
        context_ = nullptr;
        return "out of memory";
    }
    context_->exit_target = reinterpret_cast<std::uint64_t>(ringone_gate_exit);
    context_->host_fs_base = _readfsbase_u64();

    // Exit gate: JMP FAR 0x33:trampoline; trampoline (64-bit): MOV r15, context; JMP [r15 + exit_target].
    std::uint8_t* at = zone_write_ + gs_bytes;
    const std::uint32_t trampoline = zone_.exit_gate + 16;
    *at = 0xEA;
    std::memcpy(at + 1, &trampoline, 4);
    std::memcpy(at + 5, &kUserCode64, 2);
    at += 16;
    const auto context = reinterpret_cast<std::uint64_t>(context_);
    at[0] = 0x49;
    at[1] = 0xBF;
    std::memcpy(at + 2, &context, 8);
    const std::uint8_t jump[] = {0x41, 0xFF, 0x67, static_cast<std::uint8_t>(offsetof(GuestContext, exit_target))};
    std::memcpy(at + 10, jump, sizeof jump);
    return nullptr;
}

const char* ProcessWorld::set_up_segments() {
    user_desc code{};
    code.entry_number = kCodeEntry;
    code.limit = 0xFFFFF;
    code.limit_in_pages = 1;
    code.seg_32bit = 1;
    code.contents = MODIFY_LDT_CONTENTS_CODE;
    code.read_exec_only = 1; // execute-only: a guest's CS override reads nothing of the zone
    code.useable = 1;
    user_desc gs{};
    gs.entry_number = kGsEntry;
    gs.base_addr = config_.zone_limit;
    gs.limit = sizeof(translator::GsArea) - 1;
    gs.seg_32bit = 1;
    gs.useable = 1;
    if (!write_ldt(code) || !write_ldt(gs))
        return "this host offers no modify_ldt (CONFIG_MODIFY_LDT_SYSCALL, or forbidden by a sandbox): the process world needs it";
    context_->code_selector = ldt_selector(kCodeEntry);
    context_->gs = ldt_selector(kGsEntry);
    return nullptr;
}

const char* ProcessWorld::set_up_signals() {
    signal_stack_ = mmap(nullptr, kSignalStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (signal_stack_ == MAP_FAILED) {
        signal_stack_ = nullptr;
        return "out of memory";
    }
    stack_t stack{};
    stack.ss_sp = signal_stack_;
    stack.ss_size = kSignalStackBytes;
    thread_ = static_cast<int>(syscall(SYS_gettid));
    const auto trap_return = config_.switches.trap_jump ? process::TrapReturn::jump : process::TrapReturn::kernel;
    if (sigaltstack(&stack, nullptr) != 0 || !process::install_handlers(context_, trap_return)) return "cannot install signal handlers";
    // What FNINIT and reset leave, as the guest's first FPU state.
    fpu_image_[0] = 0x7F;
    fpu_image_[1] = 0x03;
    fpu_image_[24] = 0x80;
    fpu_image_[25] = 0x1F;
    return nullptr;
}

const char* ProcessWorld::set_up_limits() {
    max_runs_ = process::runs_of_this_process();
    if (max_runs_ < kLeastRuns) return "this host allows a process too few mappings (vm.max_map_count): 1000 are enough";
    return nullptr;
}

ProcessWorld::~ProcessWorld() {
    if (signal_stack_ != nullptr) {
        process::remove_handlers();
        stack_t off{};
        off.ss_flags = SS_DISABLE;
        sigaltstack(&off, nullptr);
        munmap(signal_stack_, kSignalStackBytes);
    }
    if (context_ != nullptr) munmap(context_, kPage);
    if (zone_write_ != nullptr) munmap(zone_write_, zone_bytes_);
    if (ram_ != nullptr) munmap(ram_, config_.ram_bytes);
    if (ram_fd_ >= 0) close(ram_fd_);
    if (low_reserved_) munmap(linear_pointer(zone_.guest_floor), kFourGiB - zone_.guest_floor);
}

void ProcessWorld::run() {
    ++context_->runs;
    ringone_gate_enter(context_);
    context_->single_step = 0;
}

bool ProcessWorld::slot_in_use(std::uint32_t slot) const {
    const std::uint16_t selector = ldt_selector(kFirstShadowEntry + slot);
    const translator::GsArea& gs = *zone_.gs;
    const auto in_mode = [selector](const translator::ModeSegments& m) {
        return selector == m.swap_fs || selector == m.swap_other || selector == m.swap_cs || selector == m.swap_wrap ||
               selector == m.ss || selector == m.es || selector == m.ds;
    };
    return selector == context_->es || selector == context_->ss || selector == context_->ds || selector == context_->fs ||
           std::any_of(std::begin(gs.modes), std::end(gs.modes), in_mode);
}

void ProcessWorld::write_descriptor(std::uint32_t slot, const ShadowDescriptor& d) {
    user_desc u{};
    u.entry_number = kFirstShadowEntry + slot;
    u.base_addr = d.base;
    u.seg_32bit = d.big ? 1 : 0;
    u.contents = d.expand_down ? MODIFY_LDT_CONTENTS_STACK : MODIFY_LDT_CONTENTS_DATA;
    u.read_exec_only = d.writable ? 0 : 1;
    u.useable = 1;
    constexpr std::uint32_t kByteGranularMax = 0xFFFFF;
    if (d.limit > kByteGranularMax) {
        u.limit_in_pages = 1;
        // Rounded towards less access; what is cut off is emulated.
        u.limit = d.expand_down ? d.limit / kPage : (d.limit + 1) / kPage - 1;
    } else {
        u.limit = d.limit;
    }
    (void)write_ldt(u); // entry 0 and 1 were accepted: no reason is left to refuse this one
}

std::uint16_t ProcessWorld::selector_for(const ShadowDescriptor& descriptor) {
    if (!descriptor.usable) return 0;
    for (std::uint32_t i = 0; i < slots_used_; ++i)
        if (slots_[i] == descriptor) return ldt_selector(kFirstShadowEntry + i);
    std::uint32_t slot = slots_used_;
    if (slots_used_ < kShadowSlots) {
        ++slots_used_;
    } else {
        do {
            slot = next_victim_;
            next_victim_ = (next_victim_ + 1) % kShadowSlots;
        } while (slot_in_use(slot));
        ++selector_epoch_;
    }
    slots_[slot] = descriptor;
    write_descriptor(slot, descriptor);
    return ldt_selector(kFirstShadowEntry + slot);
}

ProcessWorld::Window ProcessWorld::window(std::uint32_t linear_page, std::uint32_t pages) const {
    const std::uint32_t floor = zone_.guest_floor / kPage;
    const std::uint32_t skipped = linear_page >= floor ? 0 : std::min(pages, floor - linear_page);
    return {linear_pointer(std::uint64_t{linear_page + skipped} * kPage), std::size_t{pages - skipped} * kPage, skipped};
}

bool ProcessWorld::map(std::uint32_t linear_page, std::uint32_t ram_page, std::uint32_t pages, Protection protection) {
    const Window w = window(linear_page, pages);
    const int populate = config_.switches.populate && w.bytes <= kPopulateBytes ? MAP_POPULATE : 0;
    return w.bytes == 0 || mmap(w.begin, w.bytes, host_protection(protection), MAP_SHARED | MAP_FIXED | populate, ram_fd_,
                                static_cast<off_t>(ram_page + w.skipped) * kPage) == w.begin;
}

bool ProcessWorld::unmap(std::uint32_t linear_page, std::uint32_t pages) {
    const Window w = window(linear_page, pages);
    if (w.bytes == 0 || reserve(w.begin, w.bytes, MAP_FIXED)) return true;
    if (linear_page != 0 || pages != zone_.guest_limit / kPage) return false;
    // With too many mappings there Linux makes no other one, not even in place of them all; munmap() of whole mappings
    // splits none. Should there be no room for the reservation after that: what is not mapped faults as well.
    if (munmap(w.begin, w.bytes) != 0) process::give_up("the host does not unmap the guest's memory");
    (void)reserve(w.begin, w.bytes, MAP_FIXED);
    return true;
}

bool ProcessWorld::protect(std::uint32_t linear_page, std::uint32_t pages, Protection protection) {
    const Window w = window(linear_page, pages);
    return w.bytes == 0 || mprotect(w.begin, w.bytes, host_protection(protection)) == 0;
}

void ProcessWorld::begin_host_call() {
    if (in_host_) return;
    in_host_ = true;
    asm volatile("fxsave64 %0\n\tfninit" : "=m"(fpu_image_));
    constexpr std::uint32_t kDefaultMxcsr = 0x1F80;
    asm volatile("ldmxcsr %0" : : "m"(kDefaultMxcsr));
}

void ProcessWorld::end_host_call() {
    if (!in_host_) return;
    in_host_ = false;
    asm volatile("fxrstor64 %0" : : "m"(fpu_image_));
}

void ProcessWorld::kick() {
    __atomic_store_n(&context_->kicked, 1U, __ATOMIC_SEQ_CST);
    syscall(SYS_tgkill, getpid(), thread_, process::kick_signal());
}

void ProcessWorld::on_fatal_signal(void (*function)(const char* reason)) { process::on_fatal_signal(function); }

int ProcessWorld::kick_signal() { return process::kick_signal(); }

} // namespace ringone::vmm
