# SPDX-License-Identifier: MIT
# Copyright (c) 2026 The RingOne authors
"""Exit statuses and what is said with them."""
import json
import os
import re
import shutil
import unittest

from machine import GUEST, RINGONE, LauncherTest, numbered_lines, run, run_guest

SWITCHES = ["chain", "fall-through", "indirect-lookup", "return-cache", "inline-cli-sti", "inline-pushf-popf",
            "inline-selector-reads"]


class Endings(LauncherTest):
    def test_debug_exit(self):
        done = run_guest("x")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (42, b"", b""))

    def test_power_off(self):
        done = run_guest("p")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", b""))

    def test_reset(self):
        done = run_guest("r")
        self.assertEqual((done.returncode, done.stdout), (0, b""))
        self.assert_one_line(done.stderr, "reset")

    def test_halted_for_ever(self):
        done = run_guest("h")
        self.assertEqual((done.returncode, done.stdout), (3, b""))
        self.assert_one_line(done.stderr, "interrupts off")
        self.assertRegex(done.stderr.decode(), r"at 0010:00100[0-9a-f]{3}$")

    def test_stopped(self):
        done = run_guest("t")
        self.assertEqual((done.returncode, done.stdout), (3, b""))
        self.assert_one_line(done.stderr, "stopped: triple fault")
        self.assertRegex(done.stderr.decode(), r"at 0010:00100[0-9a-f]{3} \(ud2: 0f 0b\)$")

    def test_help_and_version(self):
        for arguments in (["--help"], ["run", "--help"], ["--version"]):
            done = run(*arguments)
            self.assertEqual((done.returncode, done.stderr), (0, b""))
            self.assertIn(b"ringone", done.stdout)
        for option in ("--kernel", "--initrd", "--append", "-m", "--without", "--stats"):
            self.assertIn(option, run("run", "--help").stdout.decode())
        self.assertIn("--log", run("--help").stdout.decode())


class Options(LauncherTest):
    def test_optimizations_can_be_switched_off(self):
        for names in (*SWITCHES, ",".join(SWITCHES), "all"):
            done = run_guest("n", "--without", names)
            self.assertEqual((done.returncode, done.stdout), (0, numbered_lines(20000)), names)

    def test_statistics(self):
        done = run_guest("n", "--stats")
        self.assertEqual((done.returncode, done.stdout), (0, numbered_lines(20000)))
        self.assertRegex(done.stderr.decode(), re.compile(r"^translations:$", re.MULTILINE))
        self.assertRegex(done.stderr.decode(), re.compile(r"^  port writes +[0-9]{6}$", re.MULTILINE))

    def test_statistics_of_a_stopped_machine(self):
        done = run_guest("t", "--stats")
        self.assertEqual(done.returncode, 3)
        self.assertIn(b"translations:", done.stderr)

    def test_statistics_file(self):
        path = self.folder / "statistics"
        self.assertEqual(run_guest("n", "--stats-json", str(path)).returncode, 0)
        statistics = json.loads(path.read_text())
        self.assertGreaterEqual(statistics["devices"]["port writes"], 20000 * len("line 00000000\n"))
        self.assertGreater(statistics["translations"]["guest instructions"], 20)

    def test_log_goes_to_standard_error(self):
        done = run_guest("x", "--log", "info")
        self.assertEqual((done.returncode, done.stdout), (42, b""))
        for line in done.stderr.decode().splitlines():
            self.assertTrue(line.startswith("ringone: info: "), line)
        self.assertIn(b"kernel", done.stderr)

    def test_memory_sizes(self):
        for size in ("2M", "64", "1G", "3584M"):
            self.assertEqual(run_guest("x", "-m", size).returncode, 42, size)

    def test_larger_zone(self):
        self.assertEqual(run_guest("x", "--zone", "64M").returncode, 42)

    def test_an_ordinary_user(self):
        if os.geteuid() != 0:
            self.skipTest("all of these tests are run by an ordinary user")
        for_others = shutil.copy(RINGONE, self.folder / "ringone")
        kernel = shutil.copy(GUEST, self.folder / "kernel")
        done = run("run", "--kernel", kernel, "--append", "x", executable=for_others, user=65534, group=65534,
                   extra_groups=[], cwd=self.folder)
        self.assertEqual((done.returncode, done.stderr), (42, b""))


if __name__ == "__main__":
    unittest.main()
