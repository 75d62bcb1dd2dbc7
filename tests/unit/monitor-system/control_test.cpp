// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "tests/unit/monitor-system/machine.hpp"

#include "vmm/monitor/system/debug.hpp"

namespace ringone::vmm {
namespace {

struct Control : Machine {
    Outcome set_cr(unsigned index, std::uint32_t value) {
        vcpu.gpr[kEax] = value;
        return run({0x0F, 0x22, static_cast<std::uint8_t>(0xC0U | index << 3U)});
    }
    Outcome get_cr(unsigned index) { return run({0x0F, 0x20, static_cast<std::uint8_t>(0xC0U | index << 3U)}); }
    Outcome set_dr(unsigned index, std::uint32_t value) {
        vcpu.gpr[kEax] = value;
        return run({0x0F, 0x23, static_cast<std::uint8_t>(0xC0U | index << 3U)});
    }
    Outcome get_dr(unsigned index) { return run({0x0F, 0x21, static_cast<std::uint8_t>(0xC0U | index << 3U)}); }
};

TEST_F(Control, Cr0Combinations) {
    EXPECT_EQ(set_cr(0, cr0::kPg), gp()) << "paging without protection";
    EXPECT_EQ(set_cr(0, cr0::kPe | cr0::kNw), gp()) << "NW without CD";
    EXPECT_TRUE(hooks.changes.empty());
    EXPECT_EQ(set_cr(0, 0x0FF0'0001), kNext) << "reserved bits are dropped";
    EXPECT_EQ(vcpu.cr0, cr0::kPe | cr0::kEt) << "ET is fixed";
    EXPECT_EQ(set_cr(0, cr0::kPe | cr0::kTs), kNext);
    EXPECT_TRUE(hooks.changes.empty()) << "TS is no matter of paging";
    EXPECT_EQ(set_cr(0, cr0::kPe | cr0::kPg), kNext);
    ASSERT_EQ(hooks.changes.size(), 1U);
    EXPECT_TRUE(hooks.changes[0].flush_global);
    EXPECT_FALSE(hooks.changes[0].load_pdptes);
    EXPECT_EQ(set_cr(0, cr0::kPe | cr0::kPg | cr0::kWp), kNext);
    EXPECT_EQ(hooks.changes.size(), 2U);
}

TEST_F(Control, BadPdptesChangeNothing) {
    vcpu.cr4 = cr4::kPae;
    hooks.good_pdptes = false;
    const std::uint32_t before = vcpu.cr0;
    EXPECT_EQ(set_cr(0, before | cr0::kPg), gp());
    EXPECT_EQ(vcpu.cr0, before);
    vcpu.cr0 |= cr0::kPg;
    EXPECT_EQ(set_cr(3, 0x5000), gp());
    EXPECT_EQ(vcpu.cr3, 0U);
    hooks.good_pdptes = true;
    EXPECT_EQ(set_cr(3, 0x5000), kNext);
    EXPECT_EQ(vcpu.cr3, 0x5000U);
    EXPECT_FALSE(hooks.changes.back().flush_global) << "global translations survive a CR3 load";
}

TEST_F(Control, Cr4HasTheBitsThatCpuidAnnounces) {
    for (unsigned bit = 0; bit < 32; ++bit) {
        const bool there = (0x7BCU >> bit & 1U) != 0; // TSD DE PSE PAE PGE PCE OSFXSR OSXMMEXCPT
        vcpu.cr4 = 0;
        EXPECT_EQ(set_cr(4, 1U << bit), there ? kNext : gp()) << bit;
        EXPECT_EQ(vcpu.cr4, there ? 1U << bit : 0U);
    }
    vcpu.cr4 = 0;
    hooks.changes.clear();
    EXPECT_EQ(set_cr(4, cr4::kOsfxsr | cr4::kTsd), kNext);
    EXPECT_TRUE(hooks.changes.empty());
    EXPECT_EQ(set_cr(4, cr4::kPge), kNext);
    EXPECT_TRUE(hooks.changes.at(0).flush_global);
}

TEST_F(Control, RegistersThatDoNotExist) {
    for (const unsigned index : {1U, 5U, 6U, 7U}) {
        // The decoder knows some of them not to exist; those it lets pass must be #UD here.
        static const translator::Decoder decoder;
        std::vector<std::uint8_t> code{0x0F, 0x20, static_cast<std::uint8_t>(0xC0U | index << 3U)};
        code.resize(translator::kMaxInstructionLength);
        translator::Instruction insn{};
        if (decoder.decode(translator::CodeSize::bits32, code, vcpu.eip, insn) != translator::DecodeStatus::ok) continue;
        EXPECT_EQ(execute_system(vcpu, memory, bus, hooks, insn), ud()) << index;
    }
}

TEST_F(Control, OnlyLevelZero) {
    for (const unsigned level : {1U, 3U}) {
        enter(level);
        EXPECT_EQ(set_cr(0, cr0::kPe), gp());
        EXPECT_EQ(get_cr(0), gp());
        EXPECT_EQ(get_dr(7), gp());
        EXPECT_EQ(set_dr(7, 0), gp());
        EXPECT_EQ(run({0x0F, 0x06}), gp()) << "CLTS";
        EXPECT_EQ(run({0x0F, 0x08}), gp()) << "INVD";
        EXPECT_EQ(run({0x0F, 0x09}), gp()) << "WBINVD";
        EXPECT_EQ(run({0xF4}), gp()) << "HLT";
        EXPECT_EQ(run({0x0F, 0x01, 0xF0}), gp()) << "LMSW";
        EXPECT_EQ(run({0x0F, 0x01, 0x38}), gp()) << "INVLPG";
        EXPECT_EQ(run({0x0F, 0x01, 0x10}), gp()) << "LGDT";
        EXPECT_EQ(run({0x0F, 0x00, 0xD0}), gp()) << "LLDT";
        EXPECT_EQ(run({0x0F, 0x00, 0xD8}), gp()) << "LTR";
        EXPECT_EQ(run({0x0F, 0x33}), gp()) << "RDPMC";
        EXPECT_EQ(vcpu.eip, kCodeAt);
    }
}

TEST_F(Control, MachineStatusWord) {
    vcpu.gpr[kEax] = 0;
    EXPECT_EQ(run({0x0F, 0x01, 0xF0}), kNext);
    EXPECT_TRUE(vcpu.protected_mode()) << "LMSW cannot clear PE";
    vcpu.gpr[kEax] = 0xFFFF;
    EXPECT_EQ(run({0x0F, 0x01, 0xF0}), kNext);
    EXPECT_EQ(vcpu.cr0, 0x1FU) << "PE, MP, EM, TS; ET; not NE";
    EXPECT_EQ(run({0x0F, 0x06}), kNext);
    EXPECT_EQ(vcpu.cr0, 0x17U) << "CLTS";
    enter(3);
    vcpu.cr0 |= cr0::kPg | cr0::kNe;
    EXPECT_EQ(run({0x0F, 0x01, 0xE1}), kNext) << "SMSW ecx, at any level";
    EXPECT_EQ(vcpu.gpr[kEcx], vcpu.cr0);
    vcpu.gpr[kEcx] = 0xFFFF'FFFF;
    EXPECT_EQ(run({0x66, 0x0F, 0x01, 0xE1}), kNext);
    EXPECT_EQ(vcpu.gpr[kEcx], 0xFFFF'0037U);
}

TEST_F(Control, CachesAndHalt) {
    EXPECT_EQ(run({0x0F, 0x08}), kNext);
    EXPECT_EQ(run({0x0F, 0x09}), kNext);
    EXPECT_EQ(run({0xF4}).kind, Outcome::Kind::halt);
    EXPECT_TRUE(vcpu.halted);
    EXPECT_EQ(vcpu.eip, kCodeAt + 2 + 2 + 1);
    EXPECT_EQ(run({0x0F, 0x33}), gp()) << "RDPMC: no counters";
}

TEST_F(Control, InvalidatePageByItsLinearAddress) {
    define(kFree, kData, 0x4000, 0xFFFF, 4);
    vcpu.segment(Segment::ds) = cached(kFree);
    vcpu.gpr[kEbx] = 0x1234;
    EXPECT_EQ(run({0x0F, 0x01, 0x3B}), kNext);
    EXPECT_EQ(hooks.invalidated, (std::vector<std::uint32_t>{0x5234}));
}

TEST_F(Control, WaitingForMemoryIsInvalid) {
    EXPECT_EQ(run({0x0F, 0x01, 0xC8}), ud()) << "MONITOR";
    EXPECT_EQ(run({0x0F, 0x01, 0xC9}), ud()) << "MWAIT";
    EXPECT_EQ(run({0x0F, 0x0B}), ud()) << "UD2";
}

TEST_F(Control, DebugRegisters) {
    EXPECT_EQ(set_dr(7, 0xFFFF'FFFF & ~dr7::kGeneralDetect), kNext);
    EXPECT_EQ(vcpu.dr[7], 0xFFFF'07FFU);
    EXPECT_EQ(set_dr(6, 0), kNext);
    EXPECT_EQ(vcpu.dr[6], 0xFFFF'0FF0U);
    EXPECT_EQ(set_dr(6, 0xFFFF'FFFF), kNext);
    EXPECT_EQ(vcpu.dr[6], 0xFFFF'EFFFU) << "bit 12 is zero";
    EXPECT_EQ(set_dr(2, 0xC000'0000), kNext);
    EXPECT_EQ(get_dr(2), kNext);
    EXPECT_EQ(vcpu.gpr[kEax], 0xC000'0000U);
    EXPECT_EQ(set_dr(4, 0), kNext) << "DR4 is DR6";
    EXPECT_EQ(vcpu.dr[6], 0xFFFF'0FF0U);
    vcpu.cr4 |= cr4::kDe;
    EXPECT_EQ(get_dr(4), ud());
    EXPECT_EQ(set_dr(5, 0), ud());
}

TEST_F(Control, GeneralDetect) {
    EXPECT_EQ(set_dr(7, dr7::kGeneralDetect), kNext);
    vcpu.gpr[kEax] = 0x77;
    EXPECT_EQ(get_dr(0), faulted(vector::kDebug));
    EXPECT_EQ(vcpu.gpr[kEax], 0x77U);
    EXPECT_NE(vcpu.dr[6] & dr6::kGeneralDetect, 0U);
    idt(1, kIntGate32, kCode0, 0x12000);
    EXPECT_EQ(raise(GuestFault::plain(vector::kDebug)), Delivery::delivered);
    EXPECT_EQ(vcpu.dr[7] & dr7::kGeneralDetect, 0U) << "the handler can use them";
    EXPECT_EQ(get_dr(0), kNext);
}

TEST_F(Control, TableRegisters) {
    memory.put<std::uint16_t>(0x8000, 0x1FF);
    memory.put<std::uint32_t>(0x8002, 0x8912'3450);
    vcpu.gpr[kEbx] = 0x8000;
    EXPECT_EQ(run({0x0F, 0x01, 0x1B}), kNext); // LIDT
    EXPECT_EQ(vcpu.idtr.base, 0x8912'3450U);
    EXPECT_EQ(vcpu.idtr.limit, 0x1FF);
    EXPECT_EQ(run({0x66, 0x0F, 0x01, 0x1B}), kNext);
    EXPECT_EQ(vcpu.idtr.base, 0x0012'3450U) << "24 bits with a 16-bit operand";
    enter(3);
    vcpu.gpr[kEbx] = 0x8010;
    EXPECT_EQ(run({0x0F, 0x01, 0x03}), kNext) << "SGDT is not privileged without UMIP";
    EXPECT_EQ(memory.get<std::uint16_t>(0x8010), 0xFF);
    EXPECT_EQ(memory.get<std::uint32_t>(0x8012), kGdt);
    memory.read_only.insert(8);
    EXPECT_EQ(run({0x0F, 0x01, 0x0B}).fault.vector, vector::kPageFault) << "SIDT";
}

TEST_F(Control, LoadedSystemSegments) {
    vcpu.gpr[kEax] = kLdtSel;
    EXPECT_EQ(run({0x0F, 0x00, 0xD0}), kNext);
    EXPECT_EQ(vcpu.ldtr, cached(kLdtSel));
    EXPECT_EQ(run({0x0F, 0x00, 0xC1}), kNext) << "SLDT ecx";
    EXPECT_EQ(vcpu.gpr[kEcx], kLdtSel) << "zero-extended";
    vcpu.gpr[kEax] = kOtherTssSel;
    EXPECT_EQ(run({0x0F, 0x00, 0xD0}), gp(kOtherTssSel)) << "a TSS is no LDT";
    EXPECT_EQ(run({0x0F, 0x00, 0xD8}), kNext);
    EXPECT_EQ(access_byte(kOtherTssSel) & 0xF, 11) << "busy now";
    EXPECT_EQ(run({0x0F, 0x00, 0xD8}), gp(kOtherTssSel)) << "and cannot be loaded again";
    EXPECT_EQ(run({0x0F, 0x00, 0xC9}), kNext) << "STR ecx";
    EXPECT_EQ(vcpu.gpr[kEcx], kOtherTssSel);
    vcpu.gpr[kEax] = 0;
    EXPECT_EQ(run({0x0F, 0x00, 0xD8}), gp());
    EXPECT_EQ(run({0x0F, 0x00, 0xD0}), kNext) << "a null LDT selector is allowed";
    EXPECT_FALSE(vcpu.ldtr.usable);
    define(kFree, 0x02, kLdt, 0xFF, 0);
    vcpu.gpr[kEax] = kFree;
    EXPECT_EQ(run({0x0F, 0x00, 0xD0}), faulted(vector::kSegmentNotPresent, kFree));
    enter_real();
    EXPECT_EQ(run({0x0F, 0x00, 0xD0}), ud());
    EXPECT_EQ(run({0x0F, 0x00, 0xC1}), ud());
}

struct Queries : Control {
    bool zero() const { return (vcpu.eflags & eflags::kZero) != 0; }
    Outcome query(std::uint8_t opcode, std::uint16_t selector) { // LAR 02, LSL 03: ecx, eax
        vcpu.gpr[kEax] = selector;
        vcpu.gpr[kEcx] = 0x5555'5555;
        return run({0x0F, opcode, 0xC8});
    }
    bool verify(bool write, std::uint16_t selector) {
        vcpu.gpr[kEax] = selector;
        EXPECT_EQ(run({0x0F, 0x00, static_cast<std::uint8_t>(write ? 0xE8 : 0xE0)}), kNext);
        return zero();
    }
};

TEST_F(Queries, LarAndLsl) {
    EXPECT_EQ(query(2, kCode0), kNext);
    EXPECT_TRUE(zero());
    EXPECT_EQ(vcpu.gpr[kEcx] & 0xF0FF00U, 0xC09A00U);
    EXPECT_EQ(query(3, kCode0), kNext);
    EXPECT_EQ(vcpu.gpr[kEcx], 0xFFFF'FFFFU);
    EXPECT_EQ(query(3, kTssSel), kNext);
    EXPECT_EQ(vcpu.gpr[kEcx], 0x2067U) << "as Linux's lsl of its TSS or per-CPU segment";
    for (const std::uint16_t selector : {std::uint16_t{0}, std::uint16_t{0xFFF8}, std::uint16_t{0x0C}}) {
        EXPECT_EQ(query(2, selector), kNext) << selector;
        EXPECT_FALSE(zero());
        EXPECT_EQ(vcpu.gpr[kEcx], 0x5555'5555U) << "untouched";
    }
    gate(kGdt, kFree, kCallGate32Type, kCode0, 0x1000);
    EXPECT_EQ(query(2, kFree), kNext);
    EXPECT_TRUE(zero());
    EXPECT_EQ(query(3, kFree), kNext);
    EXPECT_FALSE(zero()) << "a gate has no limit";
    gate(kGdt, kFree, kIntGate32, kCode0, 0x1000);
    EXPECT_EQ(query(2, kFree), kNext);
    EXPECT_FALSE(zero());
}

TEST_F(Queries, PrivilegeHidesDescriptors) {
    enter(3);
    EXPECT_EQ(query(2, kCode0), kNext);
    EXPECT_FALSE(zero());
    EXPECT_EQ(query(2, kConformingSel), kNext);
    EXPECT_TRUE(zero());
    EXPECT_EQ(query(3, kData3), kNext);
    EXPECT_TRUE(zero());
    enter(0);
    EXPECT_EQ(query(2, kData0 | 3), kNext);
    EXPECT_FALSE(zero()) << "RPL counts";
}

TEST_F(Queries, VerrAndVerw) {
    EXPECT_TRUE(verify(false, kCode0)) << "readable code";
    EXPECT_FALSE(verify(true, kCode0));
    EXPECT_TRUE(verify(true, kData0));
    define(kFree, 0x98, 0, 0xFF, 4);
    EXPECT_FALSE(verify(false, kFree)) << "execute-only";
    define(kFree, 0x90, 0, 0xFF, 4);
    EXPECT_FALSE(verify(true, kFree)) << "read-only";
    EXPECT_FALSE(verify(false, kTssSel)) << "a system segment";
    EXPECT_FALSE(verify(false, 0));
    enter(3);
    EXPECT_FALSE(verify(false, kData0));
}

TEST_F(Queries, Arpl) {
    vcpu.gpr[kEax] = 0xABCD'0008;
    vcpu.gpr[kEcx] = 0x1B;
    EXPECT_EQ(run({0x63, 0xC8}), kNext);
    EXPECT_EQ(vcpu.gpr[kEax], 0xABCD'000BU);
    EXPECT_TRUE(zero());
    EXPECT_EQ(run({0x63, 0xC8}), kNext);
    EXPECT_FALSE(zero());
    vcpu.gpr[kEbx] = 0x8000;
    memory.put<std::uint16_t>(0x8000, 0x08);
    memory.read_only.insert(8);
    const VCpu before = vcpu;
    EXPECT_EQ(run({0x63, 0x0B}).fault.vector, vector::kPageFault);
    EXPECT_TRUE(same_state(vcpu, before)) << "ZF comes last";
    enter_v86(3);
    EXPECT_EQ(run({0x63, 0xC8}), ud());
}

struct FastCall : Machine {
    void SetUp() override {
        Machine::SetUp();
        vcpu.sysenter_cs = kCode0;
        vcpu.sysenter_esp = 0x9900;
        vcpu.sysenter_eip = 0xC000'1000;
    }
};

TEST_F(FastCall, EnterAndExit) {
    enter(3);
    vcpu.eflags |= eflags::kResume | eflags::kTrap;
    EXPECT_EQ(run({0x0F, 0x34}), kJumped);
    EXPECT_EQ(vcpu.cpl, 0);
    EXPECT_EQ(cs().selector, kCode0);
    EXPECT_EQ(vcpu.segment(Segment::ss).selector, kCode0 + 8);
    EXPECT_EQ(cs().limit, 0xFFFF'FFFFU);
    EXPECT_EQ(vcpu.eip, 0xC000'1000U);
    EXPECT_EQ(vcpu.gpr[kEsp], 0x9900U);
    EXPECT_EQ(vcpu.eflags & (eflags::kInterrupt | eflags::kResume | eflags::kTrap), eflags::kTrap) << "TF stays: Linux clears it in its #DB handler";
    vcpu.gpr[kEcx] = 0xB000;
    vcpu.gpr[kEdx] = 0x1'1000;
    EXPECT_EQ(run({0x0F, 0x35}), kJumped);
    EXPECT_EQ(vcpu.cpl, 3);
    EXPECT_EQ(cs().selector, (kCode0 + 16) | 3);
    EXPECT_EQ(vcpu.segment(Segment::ss).selector, (kCode0 + 24) | 3);
    EXPECT_EQ(cs().dpl(), 3U);
    EXPECT_EQ(vcpu.gpr[kEsp], 0xB000U);
    EXPECT_EQ(vcpu.eip, 0x1'1000U);
}

TEST_F(FastCall, Faults) {
    enter(3);
    EXPECT_EQ(run({0x0F, 0x35}), gp()) << "SYSEXIT at level 3";
    vcpu.sysenter_cs = 3;
    EXPECT_EQ(run({0x0F, 0x34}), gp()) << "a null selector";
    enter_real();
    vcpu.sysenter_cs = kCode0;
    EXPECT_EQ(run({0x0F, 0x34}), gp());
}

TEST_F(FastCall, FromVirtual8086Mode) {
    enter_v86(0);
    EXPECT_EQ(run({0x0F, 0x34}), kJumped);
    EXPECT_FALSE(vcpu.virtual_8086());
    EXPECT_EQ(vcpu.cpl, 0);
}

struct Ports : Machine {};

TEST_F(Ports, PermissionBitmap) {
    enter(3);
    vcpu.gpr[kEdx] = 0x3F8;
    for (std::uint32_t i = 0; i < 0x2000; ++i) memory.put<std::uint8_t>(kTss + 0x68 + i, 0); // other tables go: unused here
    memory.put<std::uint8_t>(kTss + 0x68 + 0x3F8 / 8, 0x02);
    EXPECT_EQ(run({0xEC}), kNext);
    EXPECT_EQ(bus.reads, (std::vector<std::uint16_t>{0x3F8}));
    EXPECT_EQ(run({0x66, 0xED}), gp()) << "a word reaches port 3F9";
    vcpu.gpr[kEdx] = 0x3FA;
    EXPECT_EQ(run({0xEE}), kNext);
    EXPECT_EQ(bus.writes.size(), 1U);
    vcpu.gpr[kEdx] = 0xFFFF;
    vcpu.tr.limit = 0x2067;
    EXPECT_EQ(run({0xEE}), gp()) << "the byte behind the map must be inside the limit";
    vcpu.tr.limit = 0x2068;
    EXPECT_EQ(run({0xEE}), kNext);
    vcpu.tr.limit = 0x66;
    EXPECT_EQ(run({0xEE}), gp()) << "no map base";
    vcpu.eflags |= eflags::kIopl;
    EXPECT_EQ(run({0xEE}), kNext) << "IOPL 3";
}

TEST_F(Ports, Virtual8086AlwaysAsksTheBitmap) {
    enter_v86(3);
    vcpu.tr.limit = 0x66;
    EXPECT_EQ(run({0xEC}), gp());
}

TEST_F(Ports, StringsStopAtAFaultWithTheirProgress) {
    vcpu.gpr[kEdx] = 0x1F0;
    vcpu.gpr[kEcx] = 8;
    vcpu.gpr[kEdi] = 0x8FFC;
    memory.missing.insert(9);
    const Outcome outcome = run({0xF3, 0x66, 0x6D}); // REP INSW
    EXPECT_EQ(outcome.fault.vector, vector::kPageFault);
    EXPECT_EQ(outcome.fault.cr2, 0x9000U);
    EXPECT_EQ(outcome.fault.error_code, 2U);
    EXPECT_EQ(vcpu.gpr[kEcx], 6U);
    EXPECT_EQ(vcpu.gpr[kEdi], 0x9000U);
    EXPECT_EQ(bus.reads.size(), 2U) << "nothing is read from the device that cannot be stored";
    EXPECT_EQ(vcpu.eip, kCodeAt);
    memory.missing.clear();
    EXPECT_EQ(run({0xF3, 0x66, 0x6D}), kNext);
    EXPECT_EQ(vcpu.gpr[kEcx], 0U);
    EXPECT_EQ(bus.reads.size(), 8U);
}

} // namespace
} // namespace ringone::vmm
