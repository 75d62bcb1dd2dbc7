// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "translator/translator.hpp"
#include "vmm/monitor/breakpoints.hpp"
#include "vmm/monitor/code_views.hpp"
#include "vmm/monitor/emulate/emulate.hpp"
#include "vmm/monitor/emulate/native_runner.hpp"
#include "vmm/monitor/guest_memory.hpp"
#include "vmm/monitor/host_services.hpp"
#include "vmm/monitor/memory_switches.hpp"
#include "vmm/monitor/system/system.hpp"
#include "vmm/monitor/vcpu.hpp"
#include "vmm/monitor/world.hpp"

#include <cstdint>

namespace ringone::vmm {

enum class StopKind : std::uint8_t {
    requested,   ///< HostServices::stop_requested()
    shutdown,    ///< triple fault
    unsupported, ///< the guest did something that the monitor does not do
    internal,    ///< the monitor found itself inconsistent
};

/// Why and where a VM stopped.
struct Stop {
    StopKind kind = StopKind::requested;
    const char* why = "";
    std::uint32_t cs = 0;
    std::uint32_t eip = 0;
    std::uint8_t bytes[translator::kMaxInstructionLength] = {};
    std::uint8_t byte_count = 0;
};

struct MonitorCounters {
    std::uint64_t exits_link, exits_indirect, exits_callout, exits_fault, exits_step, kicks, roll_forward_steps;
    std::uint64_t segment_loads, traps, emulated, injected_faults, injected_interrupts, halts, hidden_faults;
    std::uint64_t inlined_segment_loads; ///< registers found loaded at exits; what was loaded twice counts once
    std::uint64_t passages; ///< changes of privilege found made at exits; of several in a row the last counts
    std::uint64_t adapted; ///< instructions translated anew for what their accesses did
    std::uint64_t traps_by_vector[32];
    std::uint64_t injected_by_vector[32];
    std::uint32_t callouts_by_mnemonic[ZYDIS_MNEMONIC_MAX_VALUE + 1];
    std::uint32_t emulated_by_mnemonic[ZYDIS_MNEMONIC_MAX_VALUE + 1]; ///< after a hardware exception
    std::uint64_t low_accesses; ///< emulated because they touch addresses below ZoneLayout::guest_floor
    std::uint64_t translation_cycles; ///< TSC cycles spent on code that was not in the translation cache
};

/// The monitor of one virtual CPU: runs the guest until the machine stops.
class Monitor final : private NativeRunner, private SystemHooks, private IoBus {
public:
    [[nodiscard]] static std::size_t metadata_bytes(std::uint32_t ram_pages) {
        return translator::Translator::metadata_bytes() + CodeViews::metadata_bytes() +
               GuestMemory::metadata_bytes(ram_pages);
    }

    Monitor(World& world, HostServices& services, const CpuidModel& cpuid, std::span<std::byte> metadata,
            const translator::Options& options, const MemorySwitches& memory = {});
    Monitor(const Monitor&) = delete;
    Monitor& operator=(const Monitor&) = delete;

    /// Runs the guest. Hosted FPU state is kept around the call.
    [[nodiscard]] Stop run();
    [[nodiscard]] VCpu& vcpu() { return vcpu_; }
    [[nodiscard]] GuestMemory& memory() { return memory_; }
    [[nodiscard]] translator::Translator& translator() { return translator_; }
    [[nodiscard]] const CodeViews& views() const { return views_; }
    [[nodiscard]] const MonitorCounters& counters() const { return counters_; }

private:
    enum class Next : std::uint8_t { dispatch, stop };

    // monitor.cpp: the loop
    [[nodiscard]] Next step();
    [[nodiscard]] Next take_events();
    [[nodiscard]] Next execute();
    [[nodiscard]] MaybeFault locate(bool single, translator::FragmentId& fragment);
    void join_pending(translator::FragmentId fragment);
    void forget_pending();
    void arm_breakpoints();
    [[nodiscard]] Next gate_exit(bool single);
    [[nodiscard]] Next follow_link(translator::LinkId link, bool single);
    void follow_indirect(std::uint32_t site, bool single);
    [[nodiscard]] std::uint64_t cache_epoch();
    [[nodiscard]] Next stop(StopKind kind, const char* why);
    void poll_services();

    // traps.cpp
    [[nodiscard]] Next hardware_trap();
    [[nodiscard]] bool below_floor();
    [[nodiscard]] bool hidden_fault();
    void run_world();
    [[nodiscard]] bool run_to_exit(bool single);
    [[nodiscard]] bool roll_forward();
    [[nodiscard]] bool between_instructions();
    [[nodiscard]] bool roll_back(std::uint32_t ccf);
    [[nodiscard]] Next inject(const GuestFault& fault);
    void prefill_on_return();
    [[nodiscard]] Next deliver_event(const Event& event);

    // callouts.cpp
    [[nodiscard]] Next callout();
    [[nodiscard]] Next execute_decoded();
    [[nodiscard]] Next emulate_at_eip(bool hardware_said_gp);
    [[nodiscard]] Next emulate_decoded(bool hardware_said_gp);
    [[nodiscard]] Next repeat_later();
    [[nodiscard]] MaybeFault decode_at_eip();
    [[nodiscard]] bool address_wraps() const;
    void translate_anew();

    // hardware_state.cpp
    void load_hardware();
    void save_hardware();
    void load_segments();
    void load_mode(bool user, const SegmentCache& cs, const SegmentCache& ss);
    [[nodiscard]] std::uint32_t limit_of(bool user) const;
    [[nodiscard]] std::uint16_t shadow_selector(bool user, std::uint32_t role, const SegmentCache& segment);
    [[nodiscard]] ShadowDescriptor shadow_of(bool user, const SegmentCache& segment, bool as_data) const;
    [[nodiscard]] ShadowDescriptor wrapped_shadow_of(bool user, const SegmentCache& segment) const;
    [[nodiscard]] std::uint32_t passage_shadow(Segment segment, const SegmentCache& cache);
    [[nodiscard]] translator::CodeContext code_context(const SegmentCache& cs, const SegmentCache& ss, std::uint8_t cpl) const;
    [[nodiscard]] translator::CodeContext code_context() const {
        return code_context(vcpu_.segment(Segment::cs), vcpu_.segment(Segment::ss), vcpu_.cpl);
    }
    [[nodiscard]] bool user_mode() const { return vcpu_.cpl == 3 || vcpu_.virtual_8086(); }

    // selector_ways.cpp
    void forget_ways();
    void check_ways();
    void reread_ways();
    [[nodiscard]] bool watched_descriptor(std::uint16_t selector, std::uint64_t& raw);
    void remember_way(Segment segment);
    void take_ways();

    // passages.cpp
    void check_passages();
    void open_passages();
    void close_passages_to_user();
    void remember_user();
    void reread_user();
    void take_passage();

    // NativeRunner
    [[nodiscard]] std::span<std::byte> scratch() override;
    [[nodiscard]] std::uint32_t scratch_offset() override;
    [[nodiscard]] MaybeFault run(std::span<const std::uint8_t> code, VCpu& vcpu) override;

    [[nodiscard]] std::uint32_t guest_eip_of(std::uint32_t hardware_address) override;

    // SystemHooks
    [[nodiscard]] bool on_paging_change(const VCpu& before, const VCpu& after, PagingChange change) override;
    void on_invlpg(std::uint32_t linear) override;
    [[nodiscard]] std::uint64_t host_tsc() override;
    [[nodiscard]] const CpuidModel& cpuid() const override { return cpuid_; }

    // IoBus: the services, with the guest's FPU state kept
    [[nodiscard]] std::uint32_t io_read(std::uint16_t port, std::uint32_t size) override;
    void io_write(std::uint16_t port, std::uint32_t size, std::uint32_t value) override;

    World& world_;
    HostServices& services_;
    const CpuidModel& cpuid_;
    const MemorySwitches switches_;
    VCpu vcpu_;
    translator::Translator translator_;
    Breakpoints breakpoints_;
    GuestMemory memory_;
    CodeViews views_;
    /// Instructions that were called out are so again: the last ones, decoded. Their bytes are compared at each use.
    struct Decoded {
        translator::Instruction instruction;
        std::uint64_t flushes;
        std::uint8_t context;
        bool valid;
    };
    static constexpr std::uint32_t kDecodedSlots = 256;
    Decoded decoded_[kDecodedSlots]{};
    const translator::Instruction* instruction_ = nullptr; ///< the one decode_at_eip() found
    /// Shadow selectors of the segments last loaded, by privilege: a guest that goes to and fro between its kernel and
    /// its programs loads the same ones.
    struct KnownShadow {
        SegmentCache segment;
        std::uint32_t limit;
        std::uint16_t selector;
        std::uint64_t epoch; ///< of the world's selectors; 0: none
    };
    static constexpr std::uint32_t kShadowRoles = 7; ///< by segment, and what swap_wrap is made of
    KnownShadow known_shadows_[2][kShadowRoles]{};
    SegmentCache loaded_[kSegmentCount];
    std::uint64_t way_descriptors_[translator::kSelectorWays][kSegmentCount]{}; ///< what those were made from
    SegmentCache way_segments_[translator::kSelectorWays][kSegmentCount]; ///< what GsArea::ways load
    std::uint32_t next_way_[kSegmentCount]{};
    TableRegister ways_gdtr_;
    static constexpr std::uint32_t kNoTable = 0xFFFFFFFF;
    std::uint32_t table_page_ = kNoTable; ///< linear page of the descriptors that all these come from
    std::uint64_t ways_epoch_ = 0; ///< of the world's selectors; 0: there are no ways yet
    /// Where fragments may pass to by themselves.
    struct Destination {
        SegmentCache cs, ss;
        std::uint8_t context = translator::TranslationCache::kNoContext;
        bool open = false;
    };
    Destination kernel_, user_;
    std::uint64_t user_descriptors_[2]{}; ///< of its CS and SS
    bool user_known_ = false;             ///< ... and those are what the guest's IRET has found last
    bool fast_exit_ = false;              ///< SYSEXIT leads to the same
    /// What all that depends on, besides descriptors.
    struct PassageState {
        std::uint64_t selector_epoch, cache_flushes;
        std::uint32_t sysenter_cs, sysenter_esp, sysenter_eip, cr0, cr4, user_limit;
        std::uint8_t active[translator::kDispatchClasses], user_view;
        bool tsc_shifted, user_known;
        friend constexpr bool operator==(const PassageState&, const PassageState&) = default;
    };
    PassageState passage_state_{};
    std::uint32_t loaded_limit_ = 0; ///< first address that those segments must not reach; 0: none are loaded
    bool fs_holds_gs_ = false;
    bool interrupt_line_ = false;
    bool stop_requested_ = false;
    bool completed_ = false;       ///< the last run finished the instruction it was to execute
    bool resuming_ = false;        ///< the one instruction to be executed has a breakpoint that RF hides
    bool suppress_trap_ = false;   ///< the instruction that finished clears TF for its handler (INT n)
    std::uint8_t context_id_ = 0;
    translator::LinkId pending_link_ = translator::kNone; ///< the exit that led to EIP, to be chained to its fragment
    std::uint64_t pending_epoch_ = 0;                     ///< cache_epoch() then
    bool pending_indirect_ = false;                       ///< EIP was the target of an indirect branch
    translator::LinkId pending_site_ = translator::kNone; ///< ... and the site that did not know it
    bool pending_return_ = false;                         ///< ... of a return that missed the return cache
    mmu::FaultResult fault_{};      ///< of the last hardware page fault
    bool fault_known_ = false;      ///< ... and it is the one that ended the run
    /// The #PF injected last, while its handler has not returned.
    struct PendingPrefill {
        bool valid;
        std::uint8_t cpl;
        std::uint32_t eip;
        std::uint32_t address; ///< CR2
    };
    PendingPrefill prefill_{};
    Stop stop_;
    MonitorCounters counters_{};
};

} // namespace ringone::vmm
