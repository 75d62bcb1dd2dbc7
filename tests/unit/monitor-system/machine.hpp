// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "translator/decoder.hpp"
#include "vmm/monitor/operands.hpp"
#include "vmm/monitor/system/segmentation.hpp"
#include "vmm/monitor/system/system.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <initializer_list>
#include <map>
#include <ostream>
#include <set>
#include <utility>
#include <vector>

namespace ringone::vmm {

/// Flat guest-linear memory from 0, with pages that fault. Error codes as in SDM Vol. 3 section 4.7: bit 0 present, 1 write, 2 user.
class FlatMemory final : public LinearMemory {
public:
    static constexpr std::uint32_t kBytes = 0x40000;

    std::set<std::uint32_t> missing;    ///< page numbers, not present
    std::set<std::uint32_t> read_only;  ///< for supervisor, too (CR0.WP)
    std::set<std::uint32_t> supervisor; ///< page numbers no user access may touch

    MaybeFault read(std::uint32_t linear, std::span<std::byte> to, AccessPrivilege privilege) override {
        if (auto fault = check(linear, to.size(), false, privilege)) return fault;
        std::memcpy(to.data(), &bytes_.at(linear), to.size());
        return {};
    }
    MaybeFault write(std::uint32_t linear, std::span<const std::byte> from, AccessPrivilege privilege) override {
        if (auto fault = check(linear, from.size(), true, privilege)) return fault;
        std::memcpy(&bytes_.at(linear), from.data(), from.size());
        return {};
    }
    MaybeFault probe(std::uint32_t linear, std::uint32_t bytes, AccessType type, AccessPrivilege privilege) override {
        return check(linear, bytes, type == AccessType::write, privilege);
    }

    template <typename T>
    [[nodiscard]] T get(std::uint32_t linear) const {
        T value{};
        std::memcpy(&value, &bytes_.at(linear), sizeof value);
        return value;
    }
    template <typename T>
    void put(std::uint32_t linear, T value) {
        std::memcpy(&bytes_.at(linear), &value, sizeof value);
    }
    [[nodiscard]] const std::vector<std::byte>& bytes() const { return bytes_; }

private:
    [[nodiscard]] MaybeFault check(std::uint32_t linear, std::size_t size, bool write, AccessPrivilege privilege) const {
        const bool user = privilege == AccessPrivilege::user;
        for (std::uint64_t at = linear; at < std::uint64_t{linear} + size; ++at) {
            const auto page = static_cast<std::uint32_t>(at >> 12U);
            const std::uint32_t code = (write ? 2U : 0U) | (user ? 4U : 0U);
            if (at >= kBytes || missing.contains(page)) return GuestFault::page(static_cast<std::uint32_t>(at), code);
            if ((write && read_only.contains(page)) || (user && supervisor.contains(page)))
                return GuestFault::page(static_cast<std::uint32_t>(at), code | 1U);
        }
        return {};
    }

    std::vector<std::byte> bytes_ = std::vector<std::byte>(kBytes);
};

struct PortLog final : IoBus {
    std::vector<std::pair<std::uint16_t, std::uint32_t>> writes;
    std::vector<std::uint16_t> reads;
    std::uint32_t next_value = 0x1122'3344;

    std::uint32_t io_read(std::uint16_t port, std::uint32_t) override {
        reads.push_back(port);
        return next_value++;
    }
    void io_write(std::uint16_t port, std::uint32_t size, std::uint32_t value) override {
        writes.emplace_back(port, value & size_mask(size));
    }
};

struct HookLog final : SystemHooks {
    std::vector<PagingChange> changes;
    std::vector<std::uint32_t> invalidated;
    std::uint64_t tsc = 0x1'0000'0005;
    bool good_pdptes = true;
    CpuidModel model;

    bool on_paging_change(const VCpu&, const VCpu&, PagingChange change) override {
        changes.push_back(change);
        return !change.load_pdptes || good_pdptes;
    }
    void on_invlpg(std::uint32_t linear) override { invalidated.push_back(linear); }
    std::uint64_t host_tsc() override { return tsc; }
    const CpuidModel& cpuid() const override { return model; }
};

/// Access bytes of descriptors used below, DPL 0; add dpl << 5.
inline constexpr std::uint8_t kCode = 0x9A, kConforming = 0x9E, kData = 0x92;
inline constexpr std::uint8_t kTss32 = 0x89, kTss16 = 0x81, kLdtType = 0x82, kTaskGateType = 0x85;
inline constexpr std::uint8_t kIntGate32 = 0x8E, kTrapGate32 = 0x8F, kIntGate16 = 0x86, kTrapGate16 = 0x87;
inline constexpr std::uint8_t kCallGate32Type = 0x8C, kCallGate16Type = 0x84;
inline constexpr std::uint8_t dpl3(std::uint8_t access) { return static_cast<std::uint8_t>(access | 0x60U); }

/// A 32-bit protected-mode machine at CPL 0, interrupts on, with everything a kernel sets up.
class Machine : public testing::Test {
protected:
    static constexpr std::uint32_t kGdt = 0x1000, kIdt = 0x2000, kTss = 0x3000, kOtherTss = 0x3400, kLdt = 0x5000;
    static constexpr std::uint32_t kStack0 = 0x9000, kStack3 = 0xB000, kStack1 = 0xA000, kCodeAt = 0x10000;
    static constexpr std::uint16_t kCode0 = 0x08, kData0 = 0x10, kCode3 = 0x1B, kData3 = 0x23, kTssSel = 0x28;
    static constexpr std::uint16_t kLdtSel = 0x30, kCode1 = 0x39, kData1 = 0x41, kOtherTssSel = 0x48, kConformingSel = 0x50;
    static constexpr std::uint16_t kFree = 0x58, kCode16 = 0x60, kData16 = 0x68, kTestSel = 0x80;

    VCpu vcpu;
    FlatMemory memory;
    PortLog bus;
    HookLog hooks;

    void SetUp() override {
        vcpu.cr0 = cr0::kPe | cr0::kEt;
        vcpu.gdtr = {kGdt, 0xFF};
        vcpu.idtr = {kIdt, 0x7FF};
        vcpu.eflags = eflags::kFixed | eflags::kInterrupt;
        define(kCode0, kCode, 0, 0xFFFFF, 0xC);
        define(kData0, kData, 0, 0xFFFFF, 0xC);
        define(kCode3, dpl3(kCode), 0, 0xFFFFF, 0xC);
        define(kData3, dpl3(kData), 0, 0xFFFFF, 0xC);
        define(kTssSel, kTss32, kTss, 0x2067, 0);
        define(kLdtSel, kLdtType, kLdt, 0xFF, 0);
        define(kCode1, kCode | 0x20, 0, 0xFFFFF, 0xC);
        define(kData1, kData | 0x20, 0, 0xFFFFF, 0xC);
        define(kOtherTssSel, kTss32, kOtherTss, 0x67, 0);
        define(kConformingSel, kConforming, 0, 0xFFFFF, 0xC);
        define(kCode16, kCode, 0, 0xFFFF, 0);
        define(kData16, kData, 0, 0xFFFF, 0);
        memory.put<std::uint32_t>(kTss + 4, kStack0);
        memory.put<std::uint16_t>(kTss + 8, kData0);
        memory.put<std::uint32_t>(kTss + 12, kStack1);
        memory.put<std::uint16_t>(kTss + 16, kData1);
        memory.put<std::uint16_t>(kTss + 0x66, 0x68);
        vcpu.tr = cached(kTssSel);
        vcpu.tr.attributes |= 2;
        memory.put<std::uint8_t>(kGdt + kTssSel + 5, kTss32 | 2);
        enter(0);
    }

    /// Puts the machine at a privilege level with its flat segments.
    void enter(unsigned level) {
        const std::uint16_t code[] = {kCode0, kCode1, 0, kCode3}, data[] = {kData0, kData1, 0, kData3};
        const std::uint32_t stack[] = {kStack0, kStack1, 0, kStack3};
        vcpu.cpl = static_cast<std::uint8_t>(level);
        vcpu.segment(Segment::cs) = cached(code[level]);
        for (const Segment s : {Segment::ss, Segment::ds, Segment::es, Segment::fs, Segment::gs})
            vcpu.segment(s) = cached(data[level]);
        vcpu.gpr[kEsp] = stack[level];
        vcpu.eip = kCodeAt;
    }

    void enter_v86(unsigned iopl) {
        vcpu.eflags |= eflags::kVirtual8086 | (iopl << eflags::kIoplShift);
        vcpu.cpl = 3;
        const std::pair<Segment, std::uint16_t> all[] = {{Segment::cs, 0x1000}, {Segment::ss, 0x0B00}, {Segment::ds, 0x1100},
                                                         {Segment::es, 0x1200}, {Segment::fs, 0x1300}, {Segment::gs, 0x1400}};
        for (const auto& [segment, selector] : all) load_real_segment(vcpu, segment, selector);
        vcpu.gpr[kEsp] = 0x100;
        vcpu.eip = 0x20;
    }

    void enter_real() {
        reset(vcpu);
        vcpu.segment(Segment::cs).base = 0x10000;
        vcpu.segment(Segment::cs).selector = 0x1000;
        vcpu.idtr = {0, 0x3FF};
        vcpu.eip = 0x20;
        vcpu.gpr[kEsp] = 0x8000;
        vcpu.eflags = eflags::kFixed | eflags::kInterrupt;
    }

    static std::pair<std::uint32_t, std::uint32_t> words(std::uint8_t access, std::uint32_t base, std::uint32_t limit,
                                                         unsigned flags) {
        return {(limit & 0xFFFFU) | (base << 16U),
                ((base >> 16U) & 0xFFU) | (std::uint32_t{access} << 8U) | (limit & 0xF0000U) | (flags << 20U) |
                    (base & 0xFF000000U)};
    }
    void put_words(std::uint32_t table, std::uint32_t offset, std::pair<std::uint32_t, std::uint32_t> pair) {
        memory.put(table + offset, pair.first);
        memory.put(table + offset + 4, pair.second);
    }
    void define(std::uint16_t selector, std::uint8_t access, std::uint32_t base, std::uint32_t limit, unsigned flags) {
        put_words((selector & 4U) != 0 ? kLdt : kGdt, selector & ~7U, words(access, base, limit, flags));
    }
    void gate(std::uint32_t table, std::uint32_t offset, std::uint8_t access, std::uint16_t selector, std::uint32_t target,
              unsigned parameters = 0) {
        put_words(table, offset,
                  {(target & 0xFFFFU) | (std::uint32_t{selector} << 16U),
                   (target & 0xFFFF0000U) | (std::uint32_t{access} << 8U) | parameters});
    }
    void idt(std::uint8_t number, std::uint8_t access, std::uint16_t selector, std::uint32_t target) {
        gate(kIdt, number * 8U, access, selector, target);
    }
    [[nodiscard]] std::uint8_t access_byte(std::uint16_t selector) const {
        return memory.get<std::uint8_t>(((selector & 4U) != 0 ? kLdt : kGdt) + (selector & ~7U) + 5);
    }
    /// The hidden part the descriptor in memory would load.
    [[nodiscard]] SegmentCache cached(std::uint16_t selector) const {
        const std::uint32_t at = ((selector & 4U) != 0 ? kLdt : kGdt) + (selector & ~7U);
        const auto low = memory.get<std::uint32_t>(at), high = memory.get<std::uint32_t>(at + 4);
        const std::uint32_t raw = (low & 0xFFFFU) | (high & 0xF0000U);
        const bool pages = (high & 0x800000U) != 0;
        return {selector, static_cast<std::uint16_t>((high >> 8U) & 0xD0FFU),
                (low >> 16U) | ((high & 0xFFU) << 16U) | (high & 0xFF000000U), pages ? raw * 4096 + 4095 : raw, true};
    }

    /// Decodes by the size of CS and executes.
    Outcome run(std::initializer_list<std::uint8_t> code) {
        static const translator::Decoder decoder;
        std::vector<std::uint8_t> padded(code);
        padded.resize(translator::kMaxInstructionLength);
        const auto size = vcpu.segment(Segment::cs).big() ? translator::CodeSize::bits32 : translator::CodeSize::bits16;
        translator::Instruction insn{};
        EXPECT_EQ(decoder.decode(size, padded, vcpu.eip, insn), translator::DecodeStatus::ok);
        EXPECT_EQ(insn.length(), code.size());
        return execute_system(vcpu, memory, bus, hooks, insn);
    }
    Delivery interrupt(std::uint8_t number) { return deliver(vcpu, memory, hooks, Event::interrupt(number)); }
    Delivery raise(const GuestFault& fault) { return deliver(vcpu, memory, hooks, Event::from_fault(fault)); }

    [[nodiscard]] std::uint32_t stack32(unsigned slot) const {
        return memory.get<std::uint32_t>(vcpu.segment(Segment::ss).base + vcpu.gpr[kEsp] + 4 * slot);
    }
    [[nodiscard]] std::uint16_t stack16(unsigned slot) const {
        return memory.get<std::uint16_t>(vcpu.segment(Segment::ss).base + (vcpu.gpr[kEsp] & 0xFFFFU) + 2 * slot);
    }
    [[nodiscard]] const SegmentCache& cs() const { return vcpu.segment(Segment::cs); }
};

inline bool operator==(const GuestFault& a, const GuestFault& b) {
    return a.vector == b.vector && a.has_error_code == b.has_error_code && a.error_code == b.error_code && a.cr2 == b.cr2;
}
inline std::ostream& operator<<(std::ostream& out, const GuestFault& fault) {
    return out << "vector " << unsigned{fault.vector} << " code " << std::hex << fault.error_code << std::dec;
}
inline bool operator==(const Outcome& a, const Outcome& b) {
    return a.kind == b.kind && (a.kind != Outcome::Kind::fault || a.fault == b.fault);
}
inline std::ostream& operator<<(std::ostream& out, const Outcome& outcome) {
    return out << "outcome " << static_cast<int>(outcome.kind) << " (" << outcome.fault << ")";
}
inline bool same_state(const VCpu& a, const VCpu& b) {
    return a.gpr == b.gpr && a.eip == b.eip && a.eflags == b.eflags && a.segments == b.segments && a.ldtr == b.ldtr &&
           a.tr == b.tr && a.cr0 == b.cr0 && a.cr2 == b.cr2 && a.cr3 == b.cr3 && a.cr4 == b.cr4 && a.dr == b.dr &&
           a.cpl == b.cpl;
}

inline constexpr Outcome kNext{Outcome::Kind::next, {}};
inline constexpr Outcome kJumped{Outcome::Kind::jumped, {}};
inline Outcome faulted(std::uint8_t v, std::uint32_t code) { return {Outcome::Kind::fault, GuestFault::with_code(v, code)}; }
inline Outcome faulted(std::uint8_t v) { return {Outcome::Kind::fault, GuestFault::plain(v)}; }
inline Outcome gp(std::uint32_t code = 0) { return faulted(vector::kGeneralProtection, code); }
inline Outcome ud() { return faulted(vector::kInvalidOpcode); }

} // namespace ringone::vmm
