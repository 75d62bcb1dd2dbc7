// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "vmm/launcher/console.hpp"

#include "vmm/launcher/exit_status.hpp"
#include "vmm/launcher/standard_streams.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fmt/format.h>
#include <poll.h>
#include <span>
#include <string_view>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <system_error>
#include <unistd.h>

namespace ringone::launcher {
namespace {

// All that would end the process by default, unless it is the hardware that sends them.
constexpr int kEndingSignals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGXCPU};
constexpr int kJobSignals[] = {SIGTSTP, SIGCONT, SIGTTOU, SIGTTIN};
constexpr std::size_t kMostAtOnce = 4096; // POSIX: poll() promises a pipe so much room (PIPE_BUF)
constexpr std::uint32_t kUnflushedLimit = 512;
constexpr int kBackgroundPollMs = 200;
constexpr std::string_view kHelp = "\r\nringone: Ctrl-A x leaves, Ctrl-A b sends a break, Ctrl-A Ctrl-A "
                                   "sends Ctrl-A, Ctrl-A h shows this\r\n";

/// A blocked signal is queued even where it is ignored: it must not be in the set to stay ignored.
void add_unless_ignored(sigset_t& set, int signal) {
    struct sigaction found {};
    if (sigaction(signal, nullptr, &found) == 0 && found.sa_handler != SIG_IGN) sigaddset(&set, signal);
}

sigset_t handled_signals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : kEndingSignals) add_unless_ignored(set, signal);
    for (const int signal : kJobSignals) add_unless_ignored(set, signal);
    return set;
}

} // namespace

void Console::block_signals() {
    const sigset_t set = handled_signals();
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    std::signal(SIGPIPE, SIG_IGN); // an error of write() instead
    std::signal(SIGXFSZ, SIG_IGN); // the same, and of ftruncate()
}

Console::Console(std::function<void()> wake)
    : wake_(std::move(wake)), terminal_(STDIN_FILENO),
      nonblocking_output_(reopen_terminal_nonblocking(STDOUT_FILENO)),
      control_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    const sigset_t set = handled_signals();
    signals_ = FileDescriptor(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    if (signals_.get() < 0 || control_.get() < 0) 
        throw std::system_error(errno, std::generic_category(), "cannot watch for signals");
    try {
        thread_ = std::thread([this] { run(); });
    } catch (const std::system_error& error) {
        throw std::system_error(error.code(), "cannot start a thread");
    }
}

Console::~Console() { (void)finish(); }

bool Console::put(std::uint8_t byte) {
    if (!output_.push(byte)) {
        output_full_.store(true);
        // Room may have come between the two: then nobody would tell us.
        if (!output_.push(byte)) {
            flush();
            return false;
        }
    }
    ++unflushed_;
    if (byte == '\n' || unflushed_ >= kUnflushedLimit) flush();
    return true;
}

std::optional<std::uint8_t> Console::get() {
    std::uint8_t byte = 0;
    if (!input_.pop(byte)) return {};
    if (input_full_.exchange(false)) notify();
    return byte;
}

void Console::flush() {
    if (unflushed_ == 0) return;
    unflushed_ = 0;
    notify();
}

int Console::output_descriptor() const {
    return nonblocking_output_.get() >= 0 ? nonblocking_output_.get() : STDOUT_FILENO;
}

void Console::notify() const {
    const std::uint64_t one = 1;
    (void)!write(control_.get(), &one, sizeof one);
}

std::optional<ConsoleEnd> Console::finish() {
    if (thread_.joinable()) {
        finishing_.store(true);
        notify();
        thread_.join();
        terminal_.restore();
    }
    return end_;
}

void Console::end(int status, std::string message) {
    if (ended_.load()) return;
    end_ = ConsoleEnd{status, std::move(message)};
    ended_.store(true, std::memory_order_release);
    wake_();
}

void Console::run() {
    for (;;) {
        const bool more_output = !writing_.empty() || output_.read_available() != 0;
        // A run that was ended from outside does not wait for its reader; one that ended by itself loses
        // nothing.
        if (finishing_.load() && (!more_output || ended_.load())) return;
        // A pipe can wait until the guest has read; the keys that leave must not wait behind others.
        const bool may_read =
            input_open_ && !finishing_.load() && (typed_.empty() || terminal_.is_terminal());
        const bool foreground = terminal_.in_foreground();
        std::array<pollfd, 4> watched{{{signals_.get(), POLLIN, 0},
                                       {control_.get(), POLLIN, 0},
                                       {may_read && foreground ? STDIN_FILENO : -1, POLLIN, 0},
                                       {more_output ? output_descriptor() : -1, POLLOUT, 0}}};
        if (poll(watched.data(), watched.size(), foreground ? -1 : kBackgroundPollMs) < 0 && errno != EINTR) {
            end(kExitUserError, fmt::format("cannot wait for the console: {}", std::strerror(errno)));
            return;
        }
        if (watched[0].revents != 0) on_signal();
        if (watched[1].revents != 0) {
            std::uint64_t count = 0;
            (void)!read(control_.get(), &count, sizeof count);
        }
        if (watched[2].revents != 0) on_input();
        if (!typed_.empty()) hand_over_input();
        if (watched[3].revents != 0) on_output();
    }
}

void Console::on_signal() {
    signalfd_siginfo info{};
    while (read(signals_.get(), &info, sizeof info) == sizeof info) {
        const int signal = static_cast<int>(info.ssi_signo);
        switch (signal) {
        case SIGTSTP:
            terminal_.restore();
            kill(getpid(), SIGSTOP);
            break;
        case SIGCONT: terminal_.enter(); break;
        case SIGTTOU:
        case SIGTTIN: break;
        default: end(kExitSignalBase + signal, fmt::format("ended by SIG{}", sigabbrev_np(signal))); break;
        }
    }
}

void Console::on_input() {
    std::array<std::uint8_t, 256> bytes;
    const ssize_t count = read(STDIN_FILENO, bytes.data(), bytes.size());
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (count <= 0) {
        if (terminal_.is_terminal() && !terminal_.in_foreground()) return;
        input_open_ = false; // the guest gets no more; it may well run on
        return;
    }
    for (const std::uint8_t byte : std::span(bytes).first(static_cast<std::size_t>(count))) {
        switch (filter_.feed(byte)) {
        case EscapeFilter::Meaning::byte:
            if (typed_.size() < kTypedBytes) typed_.push_back(byte); // a serial line overruns as well
            break;
        case EscapeFilter::Meaning::leave: end(kExitSuccess, "left"); break;
        case EscapeFilter::Meaning::send_break:
            break_.store(true);
            wake_();
            break;
        case EscapeFilter::Meaning::help: writing_.insert(writing_.end(), kHelp.begin(), kHelp.end()); break;
        case EscapeFilter::Meaning::begun:
        case EscapeFilter::Meaning::unknown: break;
        }
    }
}

void Console::hand_over_input() {
    std::size_t taken = input_.push(typed_.data(), typed_.size());
    if (taken < typed_.size()) {
        input_full_.store(true);
        // Room may have come between the two: then nobody would tell us.
        taken += input_.push(typed_.data() + taken, typed_.size() - taken);
    }
    typed_.erase(typed_.begin(), typed_.begin() + static_cast<std::ptrdiff_t>(taken));
    if (taken != 0) wake_();
}

void Console::on_output() {
    if (writing_.size() < kMostAtOnce) {
        const std::size_t had = writing_.size();
        writing_.resize(kMostAtOnce);
        writing_.resize(had + output_.pop(writing_.data() + had, kMostAtOnce - had));
    }
    const ssize_t count = write(output_descriptor(), writing_.data(), std::min(writing_.size(), kMostAtOnce));
    if (count < 0) {
        if (errno == EINTR || errno == EAGAIN) return;
        const int status = errno == EPIPE || errno == EIO ? kExitSignalBase + SIGPIPE : kExitUserError;
        end(status, fmt::format("cannot write the guest's output: {}", std::strerror(errno)));
        writing_.clear();
        return;
    }
    writing_.erase(writing_.begin(), writing_.begin() + count);
    if (output_full_.exchange(false)) wake_();
}

} // namespace ringone::launcher
