// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "vmm/monitor/world.hpp"

#include <cstdint>

namespace ringone::vmm {

inline constexpr std::uint32_t kDefaultZoneLimit = 0xFFC00000;

/// What becomes of guest-linear addresses below vm.mmap_min_addr (65536 by default), which only privileged processes
/// can map.
enum class LowMemory : std::uint8_t {
    automatic, ///< mapped as far down as this process may map
    emulated,  ///< nothing below 64 KiB is mapped, even where it could be: what an ordinary user's process does
};

/// Optimizations.
struct ProcessSwitches {
    bool trap_jump = true; ///< the handler of a trap continues in the monitor without a system call (sigreturn)
    bool populate = true;  ///< small mappings get their page table entries at once, not by a fault each
};

/// The guest in the low 4 GiB of an ordinary process, at its own linear addresses: fragments at ring 3 in an LDT code segment, data through
/// truncated LDT segments, traps as signals. One a process (signal handlers find it through a static pointer).
class ProcessWorld final : public World {
public:
    struct Config {
        std::uint32_t ram_bytes;                        ///< multiple of 4 KiB
        std::uint32_t zone_limit = kDefaultZoneLimit;   ///< first guest-linear address of the zone, multiple of 4 KiB
        LowMemory low_memory = LowMemory::automatic;
        ProcessSwitches switches{};
    };

    /// Makes the world, or says in one line why it cannot be: `*error`.
    [[nodiscard]] static ProcessWorld* create(const Config& config, const char** error);
    ~ProcessWorld();
    ProcessWorld(const ProcessWorld&) = delete;
    ProcessWorld& operator=(const ProcessWorld&) = delete;

    [[nodiscard]] const ZoneLayout& zone() const override { return zone_; }
    [[nodiscard]] GuestContext& context() override { return *context_; }
    void run() override;
    [[nodiscard]] std::uint16_t selector_for(const ShadowDescriptor& descriptor) override;
    [[nodiscard]] std::uint64_t selector_epoch() const override { return selector_epoch_; }
    [[nodiscard]] bool map(std::uint32_t linear_page, std::uint32_t ram_page, std::uint32_t pages,
                           Protection protection) override;
    [[nodiscard]] bool unmap(std::uint32_t linear_page, std::uint32_t pages) override;
    [[nodiscard]] bool protect(std::uint32_t linear_page, std::uint32_t pages, Protection protection) override;
    [[nodiscard]] std::uint32_t max_runs() const override { return max_runs_; }
    [[nodiscard]] std::uint8_t* ram() override { return ram_; }
    [[nodiscard]] std::uint32_t ram_pages() const override { return ram_pages_; }
    void begin_host_call() override;
    void end_host_call() override;

    /// The guest's x87/SSE state (FXSAVE image), meaningful and writable while no guest runs.
    [[nodiscard]] std::uint8_t* fpu_image() { return fpu_image_; }

    /// Asks the vCPU thread to leave the guest soon. Any thread, and signal handlers.
    void kick();
    /// Has a kick come that the monitor has not taken yet?
    [[nodiscard]] bool kicked() const { return __atomic_load_n(&context_->kicked, __ATOMIC_SEQ_CST) != 0; }
    /// The signal that kick() sends, for timers that send it themselves.
    [[nodiscard]] static int kick_signal();
    /// What to call, async-signal-safe, before this process dies of a signal that is not the guest's, or (with a reason)
    /// because the host has let it down: then it is to say so and end the process.
    static void on_fatal_signal(void (*function)(const char* reason));
    /// Where the zone is mapped, for tests that check that the guest left it alone.
    [[nodiscard]] const std::uint8_t* zone_memory() const { return zone_write_; }
    [[nodiscard]] std::uint32_t zone_bytes() const { return zone_bytes_; }

private:
    static constexpr std::uint32_t kShadowSlots = 48;
    static constexpr std::uint32_t kFirstShadowEntry = 2;

    explicit ProcessWorld(const Config& config) : config_(config) {}
    [[nodiscard]] const char* set_up();
    [[nodiscard]] const char* set_up_memory();
    [[nodiscard]] bool reserve_linear_space();
    [[nodiscard]] const char* set_up_zone();
    [[nodiscard]] const char* set_up_segments();
    [[nodiscard]] const char* set_up_signals();
    [[nodiscard]] const char* set_up_limits();
    /// The pages of a run that this world can map.
    struct Window {
        void* begin;
        std::size_t bytes;
        std::uint32_t skipped; ///< pages below the floor
    };
    [[nodiscard]] Window window(std::uint32_t linear_page, std::uint32_t pages) const;
    [[nodiscard]] bool slot_in_use(std::uint32_t slot) const;
    void write_descriptor(std::uint32_t slot, const ShadowDescriptor& descriptor);

    Config config_;
    ZoneLayout zone_{};
    GuestContext* context_ = nullptr;
    std::uint8_t* ram_ = nullptr;
    std::uint32_t ram_pages_ = 0;
    std::uint32_t max_runs_ = 0;
    int ram_fd_ = -1;
    std::uint8_t* zone_write_ = nullptr;
    std::uint32_t zone_bytes_ = 0;
    void* signal_stack_ = nullptr;
    bool low_reserved_ = false; ///< [zone_.guest_floor, 4 GiB) is ours
    bool in_host_ = true;
    int thread_ = 0;
    ShadowDescriptor slots_[kShadowSlots]{};
    std::uint32_t slots_used_ = 0;
    std::uint32_t next_victim_ = 0;
    std::uint64_t selector_epoch_ = 1;
    alignas(64) std::uint8_t fpu_image_[512]{};
};

} // namespace ringone::vmm
