// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
//
// ringone: the command line.
#include "vmm/launcher/exit_status.hpp"
#include "vmm/launcher/run.hpp"
#include "vmm/launcher/translate.hpp"
#include "vmm/launcher/standard_streams.hpp"

#include <cstdio>
#include <exception>
#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <string>

namespace {

using namespace ringone::launcher;

void set_up_log(const std::string& level) {
    spdlog::set_default_logger(std::make_shared<spdlog::logger>(
        "ringone", std::make_shared<spdlog::sinks::stderr_sink_mt>()));
    spdlog::set_pattern("ringone: %l: %v");
    spdlog::set_level(spdlog::level::from_str(level));
}

/// One line, whatever the library says.
std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

int run_command(int argc, char** argv) {
    CLI::App app{"RingOne runs 32-bit x86 operating systems without hardware virtualization", "ringone"};
    app.require_subcommand(1);
    app.set_version_flag("--version", "ringone 0.1");
    std::string level = "warn";
    app.add_option("--log", level, "what to tell on standard error")
        ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error", "off"}))
        ->capture_default_str();
    app.fallthrough();
    std::function<int()> command;
    add_run(app, command);
    add_translate(app, command);
    try {
        app.parse(argc, argv);
    } catch (const CLI::CallForHelp&) {
        fmt::print("{}", app.help());
        return kExitSuccess;
    } catch (const CLI::CallForVersion& version) {
        fmt::print("{}\n", version.what());
        return kExitSuccess;
    } catch (const CLI::ParseError& error) {
        throw UserError(first_line(error.what()) + " (ringone --help tells what there is)");
    }
    set_up_log(level);
    return command();
}

} // namespace

int main(int argc, char** argv) {
    open_closed_standard_streams();
    try {
        const int status = run_command(argc, argv);
        flush_standard_output();
        return status;
    } catch (const UserError& error) {
        tell(error.what());
    } catch (const std::bad_alloc&) {
        tell("out of memory");
    } catch (const std::exception& error) {
        tell(error.what());
    }
    return kExitUserError;
}
