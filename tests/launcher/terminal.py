# SPDX-License-Identifier: MIT
# Copyright (c) 2026 The RingOne authors
"""On a terminal: raw while the guest runs, as it was found after every end."""
import os
import signal
import termios
import time
import unittest

from machine import GUEST, PROMPT, RINGONE, LauncherTest, Terminal, run_arguments

CTRL_A = b"\x01"


class TerminalTest(LauncherTest):
    def terminal(self, action, *more):
        return Terminal(self, run_arguments(action, *more))

    def echoing(self):
        terminal = self.terminal("e")
        terminal.read_until(b"ready\n")
        return terminal

    def assert_ended(self, terminal, status):
        self.assert_status(terminal.process, status)
        self.assertEqual(terminal.modes(), terminal.found)


class Keys(TerminalTest):
    def test_leave(self):
        for key in (b"x", b"X"):
            terminal = self.echoing()
            self.assertTrue(terminal.is_raw())
            terminal.type(CTRL_A + key)
            self.assert_ended(terminal, 0)

    def test_leave_a_guest_in_a_loop(self):
        for action in ("l", "z"):
            terminal = self.terminal(action)
            terminal.read_until(b"looping\n")
            terminal.type(CTRL_A + b"x")
            self.assert_ended(terminal, 0)

    def test_leave_when_the_guest_has_read_nothing_for_long(self):
        terminal = self.terminal("l")
        terminal.read_until(b"looping\n")
        for _ in range(20):
            terminal.type(b"k" * 1000)
            time.sleep(0.01)
        terminal.type(CTRL_A + b"x")
        self.assert_ended(terminal, 0)

    def test_help(self):
        terminal = self.echoing()
        terminal.type(CTRL_A + b"h")
        self.assertIn(b"Ctrl-A x leaves", terminal.read_until(b"\r\n", PROMPT) + terminal.read_rest())
        terminal.type(b"on")
        terminal.read_until(b"on", PROMPT)

    def test_ctrl_a_for_the_guest(self):
        terminal = self.echoing()
        terminal.type(b"[" + CTRL_A + CTRL_A + b"x]")
        self.assertEqual(terminal.read_until(b"]", PROMPT), b"[" + CTRL_A + b"x]")

    def test_break(self):
        terminal = self.echoing()
        terminal.type(CTRL_A + b"b")
        terminal.read_until(b"\0", PROMPT)  # as a UART reads it

    def test_unknown_commands_are_dropped(self):
        terminal = self.echoing()
        terminal.type(b"[" + CTRL_A + b"y" + CTRL_A + b"\r]")
        self.assertEqual(terminal.read_until(b"]", PROMPT), b"[]")

    def test_all_other_keys_are_the_guests(self):
        terminal = self.echoing()
        keys = bytes(set(range(256)) - {1, ord("q"), ord("]")}) + b"]"
        terminal.type(keys)  # Ctrl-C, Ctrl-Z, Ctrl-S, Return, Ctrl-D ... among them
        self.assertEqual(terminal.read_until(b"]", PROMPT), keys)


class Restored(TerminalTest):
    def test_when_the_guest_ends_it(self):
        for action, status in (("x", 42), ("p", 0), ("r", 0), ("h", 3), ("t", 3)):
            self.assert_ended(self.terminal(action), status)

    def test_after_a_users_error(self):
        self.assert_ended(Terminal(self, [RINGONE, "run", "--kernel", "/dev/null"]), 2)
        self.assert_ended(Terminal(self, run_arguments("x", "--initrd", GUEST + ".none")), 2)

    def test_messages_stand_at_the_left(self):
        terminal = self.terminal("t")
        self.assert_ended(terminal, 3)
        self.assertRegex(terminal.read_rest(), rb"\Aringone: stopped[^\r\n]*\r\n\Z")

    def test_after_signals(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            terminal = self.echoing()
            terminal.signal(number)
            self.assert_ended(terminal, 128 + number)

    def test_after_fatal_signals(self):
        for number in (signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL):
            for action, sign in (("e", b"ready\n"), ("l", b"looping\n")):
                terminal = self.terminal(action)
                terminal.read_until(sign)
                terminal.signal(number)
                self.assert_ended(terminal, -number)

    def test_while_stopped(self):
        terminal = self.echoing()
        for _ in range(3):
            terminal.signal(signal.SIGTSTP)
            terminal.wait_for_stop()
            self.assertEqual(terminal.modes(), terminal.found)
            terminal.signal(signal.SIGCONT)
            terminal.wait_until_raw()
            terminal.type(b"on")
            terminal.read_until(b"on", PROMPT)
        terminal.type(b"q")
        self.assert_ended(terminal, 5)

    def test_raw_again_when_somebody_else_stopped_it(self):
        terminal = self.echoing()
        terminal.signal(signal.SIGSTOP)
        terminal.wait_for_stop()
        termios.tcsetattr(terminal.slave, termios.TCSANOW, terminal.found)  # as a shell does
        terminal.signal(signal.SIGCONT)
        terminal.wait_until_raw()
        terminal.type(b"q")
        self.assert_ended(terminal, 5)


class Jobs(TerminalTest):
    def under_shell(self, script):
        return Terminal(self, ["sh", "-c", script, "sh", *run_arguments("e")])

    def test_a_job_in_the_background_leaves_the_terminal_alone(self):
        terminal = self.under_shell('set -m; "$@" & read line; echo "shell $line"; fg >/dev/null')
        terminal.read_until(b"ready")
        self.assertEqual(terminal.modes(), terminal.found)
        terminal.type(b"reads\n")
        terminal.read_until(b"shell reads", PROMPT)
        terminal.wait_until_raw()
        terminal.type(b"guest")
        terminal.read_until(b"guest", PROMPT)
        terminal.type(CTRL_A + b"x")
        self.assert_ended(terminal, 0)

    def test_a_job_in_the_background_that_ends_leaves_it_as_well(self):
        terminal = self.under_shell('set -m; "$@" & read line; kill $!; wait $!')
        terminal.read_until(b"ready")
        terminal.type(b"\n")
        self.assert_ended(terminal, 128 + signal.SIGTERM)


class Gone(TerminalTest):
    def test_a_closed_terminal_ends_the_run(self):
        for action in ("e", "l", "z", "f"):
            terminal = self.terminal(action)
            terminal.read_until(b"\n")
            terminal.hang_up()
            # The hang-up signal, or the write that fails.
            self.assertIn(terminal.process.wait(PROMPT), (128 + signal.SIGHUP, 128 + signal.SIGPIPE), action)

    def test_a_terminal_that_takes_no_more_output(self):
        """As over a network line that hangs: signals and keys must still work."""
        for number in (signal.SIGTERM, signal.SIGHUP):
            terminal = self.terminal("f")
            time.sleep(0.5)
            terminal.signal(number)
            self.assert_ended(terminal, 128 + number)
        for taken in (0, 1001, 5003):
            terminal = self.terminal("f")
            time.sleep(0.3)
            while taken > 0:  # not to a multiple of what is written at once
                taken -= len(os.read(terminal.master, min(taken, 4096)))
            time.sleep(0.3)
            terminal.type(CTRL_A + b"x")
            self.assert_ended(terminal, 0)


if __name__ == "__main__":
    unittest.main()
