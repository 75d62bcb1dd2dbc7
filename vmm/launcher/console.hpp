// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "devices/base/byte_stream.hpp"
#include "vmm/launcher/escape_filter.hpp"
#include "vmm/launcher/file_descriptor.hpp"
#include "vmm/launcher/terminal.hpp"

#include <atomic>
#include <boost/lockfree/spsc_queue.hpp>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace ringone::launcher {

/// Why the console ended the run.
struct ConsoleEnd {
    int status;          ///< for the process
    std::string message; ///< empty: nothing to say
};

/// The guest's serial line on this process's standard input and output, and the signals that concern the
/// terminal. A thread of its own does the blocking: the vCPU thread runs with the guest's segments, where no
/// signal handler of ours could run, and must not wait for a slow pipe. Output is bounded: when nobody reads,
/// put() says so, and the guest's UART stays busy until there is room.
class Console final : public devices::ByteSink, public devices::ByteSource {
public:
    /// Blocks, for this thread and those it starts, the signals that the console's thread handles. Before any
    /// thread. What this process was started to ignore (by nohup, say) stays ignored.
    static void block_signals();

    /// `wake` is called on the console's thread: there is input, or room again, or an end.
    explicit Console(std::function<void()> wake);
    ~Console();
    Console(const Console&) = delete;
    Console& operator=(const Console&) = delete;

    [[nodiscard]] bool put(std::uint8_t byte) override;
    [[nodiscard]] std::optional<std::uint8_t> get() override;
    /// Hands what was put to the thread. Lines go by themselves.
    void flush();
    /// Has bytes that flush() has not handed over yet.
    [[nodiscard]] bool unflushed() const { return unflushed_ != 0; }
    [[nodiscard]] bool take_break() { return break_.exchange(false); }

    [[nodiscard]] bool ended() const { return ended_.load(std::memory_order_acquire); }
    /// Writes out all that is left, stops the thread and puts the terminal back. The end that was asked for,
    /// if any; also one that comes while the output drains.
    [[nodiscard]] std::optional<ConsoleEnd> finish();

private:
    static constexpr std::size_t kOutputBytes = 1U << 16U;
    static constexpr std::size_t kInputBytes = 1U << 12U;
    static constexpr std::size_t kTypedBytes = 1U << 20U;

    void run();
    void on_signal();
    void on_input();
    void hand_over_input();
    void on_output();
    void end(int status, std::string message);
    void notify() const;
    [[nodiscard]] int output_descriptor() const;

    std::function<void()> wake_;
    RawTerminal terminal_;
    FileDescriptor nonblocking_output_; ///< none: standard output itself
    FileDescriptor signals_, control_;
    boost::lockfree::spsc_queue<std::uint8_t, boost::lockfree::capacity<kOutputBytes>> output_;
    boost::lockfree::spsc_queue<std::uint8_t, boost::lockfree::capacity<kInputBytes>> input_;
    std::uint32_t unflushed_ = 0;          ///< vCPU thread
    std::atomic<bool> output_full_{false}; ///< put() has refused a byte
    std::atomic<bool> input_full_{false};  ///< the thread has input that it had no room for
    std::atomic<bool> break_{false}, ended_{false}, finishing_{false};

    // The console's thread:
    EscapeFilter filter_;
    std::vector<std::uint8_t> writing_; ///< taken from the queue, or our own words
    std::vector<std::uint8_t> typed_;   ///< for the guest, and no room for it yet
    bool input_open_ = true;

    std::mutex end_mutex_;
    std::optional<ConsoleEnd> end_;
    std::thread thread_;
};

} // namespace ringone::launcher
