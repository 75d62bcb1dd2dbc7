// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "vmm/launcher/kernel_loader.hpp"

#include "vmm/launcher/exit_status.hpp"
#include "vmm/launcher/linux_loader.hpp"
#include "vmm/launcher/little_endian.hpp"
#include "vmm/launcher/multiboot_loader.hpp"

#include <fmt/format.h>

namespace ringone::launcher {
namespace {

constexpr std::uint16_t kCodeSelector = 0x10; ///< as Linux's 32-bit boot protocol wants them
constexpr std::uint16_t kDataSelector = 0x18;
constexpr std::uint64_t kFlatCode =
    0x00CF9B000000FFFF; ///< SDM Vol. 3 section 3.4.5: base 0, 4 GiB, 32-bit, accessed
constexpr std::uint64_t kFlatData = 0x00CF93000000FFFF;
constexpr std::uint16_t kCodeAttributes = 0xC09B; ///< SegmentCache::attributes of the same
constexpr std::uint16_t kDataAttributes = 0xC093;

} // namespace

EntryState load_kernel(const BootFiles& files, BootMemory& memory) {
    if (is_linux_image(files.kernel.bytes)) return load_linux(files, memory);
    if (is_multiboot(files.kernel.bytes)) return load_multiboot(files, memory);
    const auto& bytes = files.kernel.bytes;
    if (bytes.empty()) throw UserError(fmt::format("the kernel {} is empty", files.kernel.path));
    if (is_elf(bytes) && bytes.size() > kElfClassOffset && bytes[kElfClassOffset] == kElfClass64)
        throw UserError(
            fmt::format("{} is a 64-bit program: RingOne runs 32-bit kernels", files.kernel.path));
    if (is_elf(bytes))
        throw UserError(fmt::format("{} is an ELF program without a multiboot header", files.kernel.path));
    throw UserError(fmt::format("{} is no kernel: neither multiboot nor a Linux bzImage", files.kernel.path));
}

void enter_kernel(const EntryState& entry, BootMemory& memory, vmm::VCpu& vcpu) {
    std::vector<std::uint8_t> gdt(2 * sizeof(std::uint64_t));
    append_little(gdt, kFlatCode);
    append_little(gdt, kFlatData);
    vcpu.gdtr = {memory.place_low(gdt, "the GDT"), static_cast<std::uint16_t>(gdt.size() - 1)};
    for (std::size_t i = 0; i < vmm::kSegmentCount; ++i) {
        const bool code = i == static_cast<std::size_t>(vmm::Segment::cs);
        vcpu.segments[i] = {code ? kCodeSelector : kDataSelector, code ? kCodeAttributes : kDataAttributes, 0,
                            0xFFFFFFFF, true};
    }
    vcpu.cr0 = vmm::cr0::kPe | vmm::cr0::kEt;
    vcpu.eflags = vmm::eflags::kFixed;
    vcpu.eip = entry.eip;
    vcpu.gpr = {};
    vcpu.gpr[vmm::kEax] = entry.eax;
    vcpu.gpr[vmm::kEbx] = entry.ebx;
    vcpu.gpr[vmm::kEsi] = entry.esi;
}

} // namespace ringone::launcher
