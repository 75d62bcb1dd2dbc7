# SPDX-License-Identifier: MIT
# Copyright (c) 2026 The RingOne authors
"""Signals at random moments of a Debian kernel's boot leave the terminal as it was and no process behind."""
import os
import pathlib
import random
import re
import signal
import time
import unittest

from machine import RINGONE, LauncherTest, Terminal

GUESTS = pathlib.Path(os.environ["RINGONE_GUESTS"])
ROUNDS = 3
LATEST = 3.0  # seconds: by then init runs
SEED = int(os.environ.get("RINGONE_TEST_SEED", time.time_ns() % 1_000_000))


class BootSignals(LauncherTest):
    @classmethod
    def setUpClass(cls):
        if not (GUESTS / "initramfs.cpio.gz").exists():
            raise FileNotFoundError(f"no kernels in {GUESTS}: scripts/guest-files fetches them")

    def boot(self):
        return Terminal(self, [RINGONE, "run", "--kernel", str(GUESTS / "linux-686/vmlinuz"), "--initrd",
                               str(GUESTS / "initramfs.cpio.gz"), "--append", "console=ttyS0 panic=-1"])

    def run_for(self, terminal, seconds):
        """As a user's terminal does: takes what is shown."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            time.sleep(0.01)
            terminal.read_rest()

    def assert_nothing_left(self, terminal, statuses):
        try:
            status = terminal.process.wait(10)
        except Exception as late:
            self.fail(str(late))
        self.assertIn(status, statuses)
        self.assertEqual(terminal.modes(), terminal.found)
        with self.assertRaises(ProcessLookupError):
            os.killpg(terminal.process.pid, 0)  # it led a session of its own

    def test_ending_signals(self):
        random.seed(SEED)
        for round_number in range(ROUNDS):
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                delay = random.uniform(0, LATEST)
                with self.subTest(seed=SEED, round=round_number, signal=number.name, delay=delay):
                    terminal = self.boot()
                    self.run_for(terminal, delay)
                    terminal.signal(number)
                    # The first milliseconds belong to the dynamic linker and to reading the files.
                    self.assert_nothing_left(terminal, (128 + number, -number))

    def uptime(self, terminal):
        """What the guest's clock says, in seconds, less what the host's says."""
        terminal.read_rest()
        terminal.type(b"cut -d' ' -f1 /proc/uptime\r")
        found = None
        shown = b""
        while not found:
            shown += terminal.read_until(b"\n", 60)
            found = re.search(rb"^(\d+\.\d\d)\r?$", shown, re.MULTILINE)
        return float(found[1]) - time.monotonic()

    def test_the_clock_goes_on_while_stopped(self):
        """As on a real machine that somebody has stopped by its debugger: the time stamp counter does not stop."""
        terminal = self.boot()
        terminal.read_until(b"guest:/root# ", 60)
        before = self.uptime(terminal)
        terminal.signal(signal.SIGSTOP)
        terminal.wait_for_stop()
        time.sleep(3)
        terminal.signal(signal.SIGCONT)
        self.assertAlmostEqual(self.uptime(terminal), before, delta=1)
        terminal.type(b"\x01x")
        self.assert_nothing_left(terminal, (0,))

    def test_stopped_and_continued(self):
        random.seed(SEED + 1)
        for number in (signal.SIGSTOP, signal.SIGTSTP):
            with self.subTest(seed=SEED, signal=number.name):
                terminal = self.boot()
                for _ in range(5):
                    self.run_for(terminal, random.uniform(0.1, 0.7))
                    terminal.signal(number)
                    terminal.wait_for_stop()
                    if number == signal.SIGTSTP:
                        self.assertEqual(terminal.modes(), terminal.found)
                    time.sleep(random.uniform(0, 0.3))
                    terminal.signal(signal.SIGCONT)
                terminal.type(b"\r")
                terminal.read_until(b"# ", 60)
                terminal.type(b"echo $((6 * 7))-boots\r")
                terminal.read_until(b"42-boots", 60)
                terminal.type(b"\x01x")
                self.assert_nothing_left(terminal, (0,))


if __name__ == "__main__":
    unittest.main()
