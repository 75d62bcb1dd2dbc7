// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
//
// Interrupts at every fragment instruction, and at random moments: the guest (interrupts.asm) sees them only at
// instruction boundaries, only with IF set, never in a shadow, and computes the same.
#include "tests/guests/guest_machine.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <thread>

namespace ringone::tests {
namespace {

/// Runs a process world some fragment instructions at a time, and between them raises the interrupt and kicks.
class KickingWorld final : public vmm::World {
public:
    KickingWorld(vmm::ProcessWorld& world, unsigned seed) : world_(world), random_(seed) {}
    void attach(GuestMachine& machine) { machine_ = &machine; }
    [[nodiscard]] std::uint64_t kicks() const { return kicks_; }
    /// Fragment instructions that an interrupt waited for with IF set.
    [[nodiscard]] unsigned longest_wait() const { return longest_wait_; }

    void run() override {
        vmm::GuestContext& c = world_.context();
        if (c.single_step != 0) return world_.run(); // the monitor rolls forward
        // A kick in the handler of the last one makes the next come right behind its IRET: not always, or the guest
        // gets nowhere.
        const translator::GsArea& gs = *world_.zone().gs;
        if (gs.virtual_if == 0 && c.ccf != kicked_at_ && steps_(random_) > 4) return world_.run();
        unsigned closed = 0;
        // Not always the same: what is rolled back to its boundary has to be passed some time.
        // Where an interrupt waits it knows, and nobody tells it again.
        for (unsigned left = steps_(random_); left > 0 || machine_->interrupt_raised(); left -= left > 0 ? 1 : 0) {
            // With IF 0 for long, nothing but the next callout matters, and a step is slow.
            if (machine_->interrupt_raised() && gs.virtual_if == 0 && ++closed > kStepsClosed) return world_.run();
            // What an inlined PUSHF pushes is to show no TF of ours. (The guest's memory is identity mapped.)
            const bool pushes_flags = code_at(c.ccf) == kPushf;
            c.single_step = 1;
            world_.run();
            if (pushes_flags && c.exit == vmm::RunExit::trap && c.trap_vector == vmm::vector::kDebug)
                world_.ram()[c.gpr[vmm::kEsp] + 1] &= 0xFEU;
            if (c.exit != vmm::RunExit::trap || c.trap_vector != vmm::vector::kDebug) return;
            follow_selector(vmm::Segment::es, c.es);
            follow_selector(vmm::Segment::ds, c.ds);
            if (!machine_->interrupt_raised() || gs.virtual_if == 0) waited_ = 0;
            longest_wait_ = std::max(longest_wait_, ++waited_);
        }
        ++kicks_;
        machine_->raise_interrupt();
        kicked_at_ = c.ccf;
        c.kicked = 1;
        c.exit = vmm::RunExit::kick;
    }

    const vmm::ZoneLayout& zone() const override { return world_.zone(); }
    vmm::GuestContext& context() override { return world_.context(); }
    std::uint16_t selector_for(const vmm::ShadowDescriptor& d) override { return world_.selector_for(d); }
    std::uint64_t selector_epoch() const override { return world_.selector_epoch(); }
    bool map(std::uint32_t linear, std::uint32_t ram, std::uint32_t pages, vmm::Protection protection) override {
        return world_.map(linear, ram, pages, protection);
    }
    bool unmap(std::uint32_t linear, std::uint32_t pages) override { return world_.unmap(linear, pages); }
    bool protect(std::uint32_t linear, std::uint32_t pages, vmm::Protection protection) override {
        return world_.protect(linear, pages, protection);
    }
    std::uint32_t max_runs() const override { return world_.max_runs(); }
    std::uint8_t* ram() override { return world_.ram(); }
    std::uint32_t ram_pages() const override { return world_.ram_pages(); }
    void begin_host_call() override { world_.begin_host_call(); }
    void end_host_call() override { world_.end_host_call(); }

private:
    static constexpr std::uint8_t kPushf = 0x9C;
    static constexpr unsigned kStepsClosed = 64;

    /// The monitor, which does this after each run, does not see the single steps.
    void follow_selector(vmm::Segment segment, std::uint16_t& selector) const {
        const auto s = static_cast<std::uint32_t>(segment);
        const std::uint32_t way = world_.zone().gs->loaded_way[s];
        if (way != 0) selector = static_cast<std::uint16_t>(world_.zone().gs->ways[way - 1][s].shadow);
    }
    [[nodiscard]] std::uint8_t code_at(std::uint32_t ccf) const {
        return world_.zone_memory()[ccf - world_.zone().guest_limit];
    }

    vmm::ProcessWorld& world_;
    GuestMachine* machine_ = nullptr;
    std::mt19937 random_;
    std::uniform_int_distribution<unsigned> steps_{1, 64};
    std::uint64_t kicks_ = 0;
    unsigned waited_ = 0, longest_wait_ = 0;
    std::uint32_t kicked_at_ = 0; ///< where the last kick was: if the world runs on from there, it was not taken
};

constexpr std::uint64_t kWantedInterrupts = 1000; // as in the guest

void expect_passed(const GuestRun& run) {
    EXPECT_EQ(run.stop.kind, vmm::StopKind::requested) << run.stop.why << " at " << std::hex << run.stop.eip;
    EXPECT_EQ(run.exit_code, 0) << run.serial;
    EXPECT_NE(run.serial.find("passed: "), std::string::npos) << run.serial;
}

class Interrupts : public testing::TestWithParam<NamedOptions> {};

TEST_P(Interrupts, BetweenAnyTwoFragmentInstructions) {
    std::unique_ptr<KickingWorld> kicking;
    GuestMachine machine(GetParam().options, [&](vmm::ProcessWorld& world) -> vmm::World& {
        kicking = std::make_unique<KickingWorld>(world, 1);
        return *kicking;
    });
    kicking->attach(machine);
    expect_passed(machine.run("interrupts"));
    EXPECT_GE(machine.interrupts_taken(), kWantedInterrupts) << kicking->kicks();
    // The end of STI or POPF, and one instruction in the shadow.
    EXPECT_LT(kicking->longest_wait(), 16U);
}

TEST_P(Interrupts, AtRandomMoments) {
    GuestMachine machine(GetParam().options);
    std::atomic<bool> end{false};
    std::thread timer([&] {
        std::mt19937 random(1);
        std::uniform_int_distribution<int> pause(1, 150);
        while (!end.load()) {
            std::this_thread::sleep_for(std::chrono::microseconds(pause(random)));
            machine.raise_interrupt();
            machine.world().kick();
        }
    });
    const GuestRun run = machine.run("interrupts");
    end.store(true);
    timer.join();
    expect_passed(run);
    EXPECT_GE(machine.interrupts_taken(), kWantedInterrupts);
    EXPECT_GT(machine.monitor().counters().kicks, kWantedInterrupts / 10) << "most came while the monitor ran";
}

INSTANTIATE_TEST_SUITE_P(Guests, Interrupts, testing::ValuesIn(kAllOptions),
                         [](const auto& tested) { return std::string(tested.param.name); });

} // namespace
} // namespace ringone::tests
