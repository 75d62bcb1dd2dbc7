// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "tests/differential/two_way_machine.hpp"

#include "tests/differential/sequence.hpp"

#include <asm/ldt.h>
#include <cstdlib>
#include <cstring>
#include <cstdio>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace ringone::tests {
namespace {

using namespace vmm;

constexpr std::uint32_t kGdt = 0x500000, kIdt = 0x501000, kTss = 0x502000;
constexpr std::uint16_t kKernelCode = 0x08, kKernelData = 0x10, kUserCode = 0x1B, kUserData = 0x23, kUserFs = 0x2B,
                        kUserGs = 0x33, kTssSelector = 0x38;
constexpr std::uint32_t kFsBase = 0x1000, kGsBase = 0x2000;
constexpr std::uint32_t kFsLimit = 0x2FFF, kGsLimit = 0x1FFF;
constexpr std::uint32_t kPage = 4096;
constexpr std::uint32_t kHandlerStride = 16;
constexpr std::uint32_t kNativeEntry = 100; ///< LDT index beyond the world's own

std::uint64_t descriptor(std::uint32_t base, std::uint32_t limit, std::uint32_t access, std::uint32_t flags) {
    return (limit & 0xFFFFULL) | (base & 0xFFFFFFULL) << 16U | std::uint64_t{access} << 40U |
           (std::uint64_t{limit} >> 16U & 0xFULL) << 48U | std::uint64_t{flags} << 52U |
           (std::uint64_t{base} >> 24U) << 56U;
}

void fail(const char* what) {
    std::fprintf(stderr, "two-way machine: %s\n", what);
    std::abort();
}

/// Error codes of exceptions that have one (SDM Vol. 3 table 6-1).
bool has_error_code(std::uint32_t vector) {
    return vector == 8 || (vector >= 10 && vector <= 14) || vector == 17;
}

} // namespace

TwoWayMachine::TwoWayMachine(translator::CodeSize size, const translator::Options& options,
                             LowMemory low_memory)
    : size_(size) {
    const char* error = nullptr;
    world_ = ProcessWorld::create({.ram_bytes = kRam, .low_memory = low_memory}, &error);
    if (world_ == nullptr) fail(error);
    metadata_.resize(Monitor::metadata_bytes(world_->ram_pages()));
    monitor_ = std::make_unique<Monitor>(*world_, static_cast<HostServices&>(*this), cpuid_, std::span(metadata_), options);
    // For the native side, where the monitor maps nothing: there is no RAM.
    if (!world_->map(kNativeData / kPage, 0, kDataBytes / kPage, Protection::read_write) ||
        !world_->map((kNativeCode + kCode) / kPage, (kNativeShift + kCode) / kPage, 1, Protection::read_write))
        fail("cannot map the guest's memory");
    set_up_guest();
    set_up_native();
}

TwoWayMachine::~TwoWayMachine() {
    monitor_.reset();
    delete world_;
}

void TwoWayMachine::set_up_guest() {
    std::uint8_t* ram = world_->ram();
    const std::uint32_t user_flags = size_ == translator::CodeSize::bits32 ? 0xC : 0x8;
    const std::uint64_t gdt[] = {0,
                                 descriptor(0, 0xFFFFF, 0x9B, 0xC),
                                 descriptor(0, 0xFFFFF, 0x93, 0xC),
                                 descriptor(0, 0xFFFFF, 0xFB, user_flags),
                                 descriptor(0, 0x7, 0xF3, 0xC),
                                 descriptor(kFsBase, kFsLimit, 0xF3, 0x4),
                                 descriptor(kGsBase, kGsLimit, 0xF3, 0x4),
                                 descriptor(kTss, 0x67, 0x8B, 0)};
    std::memcpy(ram + kGdt, gdt, sizeof gdt);
    for (std::uint32_t v = 0; v < 32; ++v) {
        const std::uint32_t handler = kHandlers + v * kHandlerStride;
        const std::uint64_t gate = (handler & 0xFFFFULL) | std::uint64_t{kKernelCode} << 16U | 0xEEULL << 40U |
                                   (std::uint64_t{handler} >> 16U) << 48U;
        std::memcpy(ram + kIdt + v * 8, &gate, sizeof gate);
        std::memset(ram + handler, 0xF4, kHandlerStride);
    }
    const std::uint32_t tss[] = {0, kKernelStack, kKernelData};
    std::memcpy(ram + kTss, tss, sizeof tss);
    constexpr std::uint16_t kNoIoBitmap = 0x68; // beyond the TSS's limit: every port faults
    std::memcpy(ram + kTss + 102, &kNoIoBitmap, sizeof kNoIoBitmap);
}

void TwoWayMachine::set_up_native() {
    GuestContext& c = world_->context();
    monitor_code_selector_ = c.code_selector;
    monitor_gs_ = c.gs;
    const auto selector = [this](std::uint32_t base, std::uint32_t limit) {
        return world_->selector_for({kNativeData + base, limit, true, false, true, true});
    };
    native_data_ = native_stack_ = selector(0, kDataBytes - 1);
    native_fs_ = selector(kFsBase, kFsLimit);
    native_gs_ = selector(kGsBase, kGsLimit);

    user_desc code{};
    code.entry_number = kNativeEntry;
    code.base_addr = kNativeCode + (size_ == translator::CodeSize::bits32 ? 0 : kCode);
    code.limit = 0xFFFFF;
    code.limit_in_pages = 1;
    code.seg_32bit = size_ == translator::CodeSize::bits32 ? 1 : 0;
    code.contents = MODIFY_LDT_CONTENTS_CODE;
    code.useable = 1;
    if (syscall(SYS_modify_ldt, 0x11, &code, sizeof code) != 0) fail("modify_ldt for the native code segment");
    native_code_selector_ = static_cast<std::uint16_t>(kNativeEntry << 3U | 7U);
    auto* page = reinterpret_cast<void*>(std::uint64_t{kNativeCode} + kCode);
    if (mprotect(page, kPage, PROT_READ | PROT_WRITE | PROT_EXEC) != 0) fail("mprotect for the native code");
}

void TwoWayMachine::set_code(const std::vector<std::uint8_t>& code) {
    std::memcpy(world_->ram() + kNativeShift + code_physical(), code.data(), code.size());
    const auto bytes = std::as_bytes(std::span(code));
    if (monitor_->memory().write(code_physical(), bytes, AccessPrivilege::supervisor)) fail("writing the guest's code");
}

void TwoWayMachine::run_native(State& s) {
    GuestContext& c = world_->context();
    std::memcpy(world_->ram(), s.data.data(), kDataBytes);
    std::memcpy(world_->fpu_image(), s.fpu, sizeof s.fpu);
    std::memcpy(c.gpr, s.gpr, sizeof c.gpr);
    c.flags = s.eflags;
    c.ccf = code_eip();
    c.code_selector = native_code_selector_;
    c.es = c.ds = native_data_;
    c.ss = native_stack_;
    c.fs = native_fs_;
    c.gs = native_gs_;
    world_->end_host_call();
    world_->run();
    world_->begin_host_call();
    c.code_selector = monitor_code_selector_;
    c.gs = monitor_gs_;
    if (c.exit != RunExit::trap) fail("native code did not end in a trap");
    std::memcpy(s.gpr, c.gpr, sizeof s.gpr);
    s.eflags = c.flags;
    s.eip = c.ccf;
    s.vector = c.trap_vector;
    s.error_code = has_error_code(c.trap_vector) ? c.trap_error : 0;
    std::memcpy(s.fpu, world_->fpu_image(), sizeof s.fpu);
    std::memcpy(s.data.data(), world_->ram(), kDataBytes);
}

void TwoWayMachine::load_user_segments(VCpu& v) const {
    const auto data = [](std::uint16_t selector, std::uint32_t base, std::uint32_t limit) {
        return SegmentCache{selector, 0x40F3, base, limit, true};
    };
    v.segment(Segment::es) = v.segment(Segment::ds) = v.segment(Segment::ss) = data(kUserData, 0, kDataBytes - 1);
    v.segment(Segment::fs) = data(kUserFs, kFsBase, kFsLimit);
    v.segment(Segment::gs) = data(kUserGs, kGsBase, kGsLimit);
    const bool wide = size_ == translator::CodeSize::bits32;
    v.segment(Segment::cs) = SegmentCache{kUserCode, static_cast<std::uint16_t>(wide ? 0xC0FB : 0x80FB),
                                          wide ? 0U : kCode, 0xFFFFFFFF, true};
}

void TwoWayMachine::run_translated(State& s) {
    VCpu v;
    load_user_segments(v);
    v.cr0 = cr0::kPe | cr0::kEt | cr0::kNe | cr0::kMp | cr0::kAm;
    v.cr4 = cr4::kOsfxsr | cr4::kOsxmmexcpt;
    v.cpl = 3;
    v.gdtr = {kGdt, 0x3F};
    v.idtr = {kIdt, 32 * 8 - 1};
    v.tr = SegmentCache{kTssSelector, 0x8B, kTss, 0x67, true};
    std::memcpy(v.gpr.data(), s.gpr, sizeof s.gpr);
    v.eflags = (s.eflags & eflags::kHardware) | eflags::kFixed | eflags::kInterrupt;
    v.eip = code_eip();
    monitor_->vcpu() = v;
    std::memcpy(world_->ram(), s.data.data(), kDataBytes);
    std::memcpy(world_->fpu_image(), s.fpu, sizeof s.fpu);
    halted_ = false;
    const Stop stop = monitor_->run();
    const VCpu& after = monitor_->vcpu();
    stopped_ = nullptr;
    const std::uint32_t handler = after.eip - kHandlers;
    if (stop.kind != StopKind::requested || after.cpl != 0 || handler / kHandlerStride >= 32) {
        const GuestContext& c = world_->context();
        std::snprintf(stopped_text_, sizeof stopped_text_, "%s (EIP %08x, CCF %08x, vector %u, error %x, address %llx)",
                      stop.why[0] != 0 ? stop.why : "stopped outside the fault handlers", stop.eip, c.ccf, c.trap_vector,
                      c.trap_error, static_cast<unsigned long long>(c.trap_address));
        stopped_ = stopped_text_;
        return;
    }
    s.vector = handler / kHandlerStride;
    std::uint32_t frame[6];
    std::uint32_t esp = after.gpr[kEsp];
    s.error_code = 0;
    if (has_error_code(s.vector)) {
        std::memcpy(&s.error_code, world_->ram() + esp, 4);
        esp += 4;
    }
    std::memcpy(frame, world_->ram() + esp, 5 * 4);
    std::memcpy(s.gpr, after.gpr.data(), sizeof s.gpr);
    s.eip = frame[0];
    s.eflags = frame[2];
    s.gpr[kEsp] = frame[3];
    std::memcpy(s.fpu, world_->fpu_image(), sizeof s.fpu);
    std::memcpy(s.data.data(), world_->ram(), kDataBytes);
}

} // namespace ringone::tests
