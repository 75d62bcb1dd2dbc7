# SPDX-License-Identifier: MIT
# Copyright (c) 2026 The RingOne authors
"""Hosts that give little: the guest runs, or one line says what is missing and the status is 2 (3 in its midst)."""
import ctypes
import errno
import os
import pathlib
import resource
import shutil
import signal
import struct
import subprocess
import unittest

from machine import (GUEST, PROMPT, RINGONE, LauncherTest, Terminal, numbered_lines, read_until, run, run_arguments,
                     run_guest)

NOBODY = 65534
ANY_USER = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
# Linux, arch/x86/entry/syscalls/syscall_64.tbl
MPROTECT, CLONE, FTRUNCATE, SIGALTSTACK, MODIFY_LDT, TIMER_CREATE = 10, 56, 77, 131, 154, 222
SIGNALFD4, EVENTFD2, MEMFD_CREATE, CLONE3 = 289, 290, 319, 435


def limited(kind, value):
    return {"preexec_fn": lambda: resource.setrlimit(kind, (value, value))}


def without(*calls, error=errno.EPERM):
    """System calls that fail, by a seccomp filter as a sandbox has it (Linux Documentation/userspace-api/seccomp_filter.rst)."""
    load, equal, give = 0x20, 0x15, 0x06
    allow, fail = 0x7FFF0000, 0x00050000
    rules = struct.pack("HBBI", load, 0, 0, 0)
    for number in calls:
        rules += struct.pack("HBBI", equal, 0, 1, number) + struct.pack("HBBI", give, 0, 0, fail | error)
    rules += struct.pack("HBBI", give, 0, 0, allow)
    buffer = ctypes.create_string_buffer(rules, len(rules))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(rules) // 8, ctypes.addressof(buffer)))
    libc = ctypes.CDLL(None, use_errno=True)

    def install():
        no_new_privileges, set_seccomp, mode_filter = 38, 22, 2
        if libc.prctl(no_new_privileges, 1, 0, 0, 0) != 0 or libc.prctl(set_seccomp, mode_filter, program, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "no seccomp")

    return {"preexec_fn": install, "buffer": buffer}


class Limits(LauncherTest):
    def setUp(self):
        super().setUp()
        self.for_others = shutil.copy(RINGONE, self.folder / "ringone")
        self.kernel = str(shutil.copy(GUEST, self.folder / "kernel"))

    def refused(self, part, status=2, **options):
        options.pop("buffer", None)
        done = run("run", "--kernel", self.kernel, "--append", "n", "-m", "16M", **options)
        self.assert_one_line(done.stderr, part)
        self.assertEqual(done.returncode, status)

    def works(self, **options):
        options.pop("buffer", None)
        done = run("run", "--kernel", self.kernel, "--append", "n", "-m", "16M", **options)
        self.assertEqual((done.returncode, done.stdout == numbered_lines(20000), done.stderr), (0, True, b""))

    def as_nobody(self):
        return {"executable": self.for_others, "cwd": self.folder, **ANY_USER}

    @unittest.skipIf("RINGONE_SANITIZED" in os.environ, "frames with the sanitizers' red zones need more")
    def test_a_small_stack(self):
        """A segmentation fault once: the machine was a local variable."""
        for kibibytes in (32, 64, 128):
            self.works(**limited(resource.RLIMIT_STACK, kibibytes << 10))
        self.works(**limited(resource.RLIMIT_STACK, resource.RLIM_INFINITY))

    def test_nothing_may_be_locked(self):
        self.works(**self.as_nobody(), **limited(resource.RLIMIT_MEMLOCK, 0))

    def test_no_thread(self):
        if ANY_USER or os.geteuid() != 0:
            self.refused("cannot start a thread", **self.as_nobody(), **limited(resource.RLIMIT_NPROC, 0))
        self.refused("cannot start a thread", **without(CLONE, CLONE3, error=errno.EAGAIN))

    def test_no_timer(self):
        self.refused("cannot make a timer", **self.as_nobody(), **limited(resource.RLIMIT_SIGPENDING, 0))
        self.refused("cannot make a timer", **without(TIMER_CREATE))

    def test_few_files(self):
        for files in (4, 5, 6):
            self.refused("cannot", **limited(resource.RLIMIT_NOFILE, files))

    def test_small_files(self):
        """SIGXFSZ must not end the command."""
        self.refused("cannot make the guest's memory", **limited(resource.RLIMIT_FSIZE, 1 << 20))
        with (self.folder / "output").open("wb") as file:
            process = self.started("n", stdin=subprocess.DEVNULL, stdout=file, **limited(resource.RLIMIT_FSIZE, 16 << 20))
            self.assertEqual(process.wait(30), 0)
            file.seek((16 << 20) - (1 << 16))  # the guest has to write the rest only
            process = self.started("f", stdin=subprocess.DEVNULL, stdout=file, **limited(resource.RLIMIT_FSIZE, 16 << 20))
            self.assertEqual(process.wait(60), 2)
            self.assert_one_line(process.stderr.read(), "cannot write the guest's output: File too large")

    def test_sandboxes(self):
        self.refused("modify_ldt", **without(MODIFY_LDT))
        self.refused("modify_ldt", **without(MODIFY_LDT, error=errno.ENOSYS))
        self.refused("memfd", **without(MEMFD_CREATE, error=errno.ENOSYS))
        self.refused("memfd", **without(FTRUNCATE))
        self.refused("signal handlers", **without(SIGALTSTACK))
        self.refused("cannot watch for signals", **without(SIGNALFD4))
        self.refused("cannot watch for signals", **without(EVENTFD2))

    def test_no_proc(self):
        if os.geteuid() != 0:
            self.skipTest("takes root to unmount it")
        script = 'umount -l /proc && exec "$@"'
        done = subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", *run_arguments("n")], capture_output=True,
                              stdin=subprocess.DEVNULL, timeout=30)
        if b"unshare" in done.stderr:
            self.skipTest("no mount namespaces here")
        self.assertEqual((done.returncode, done.stdout == numbered_lines(20000), done.stderr), (0, True, b""))

    def test_a_page_at_0_of_our_own(self):
        """There since the start (personality MMAP_PAGE_ZERO); the guest saw it instead of its own page 0."""
        mmap_page_zero = 0x0100000
        libc = ctypes.CDLL(None, use_errno=True)
        personality = {"preexec_fn": lambda: libc.personality(mmap_page_zero)}
        if run("--version", **personality).returncode != 0:
            self.skipTest("no personalities here")
        if run("run", "--kernel", self.kernel, "--append", "x", **personality).returncode == 2:
            self.refused("the low 4 GiB of this process are not free", **personality)  # newer kernels seal it
        else:
            self.works(**personality)

    def test_the_host_runs_out_of_memory(self):
        """Seen by the process as SIGBUS at some access to the guest's memory: here because its file is cut off."""
        for action, wake in (("e", b"x"), ("l", None)):
            process = self.started(action)
            read_until(process.stdout.fileno(), b"ready\n" if action == "e" else b"looping\n")
            if action == "l":
                continue  # touches nothing: only proves that the next line is what ends the other one
            for file in pathlib.Path(f"/proc/{process.pid}/fd").iterdir():
                if "ringone-ram" in os.readlink(file):
                    os.truncate(file, 0)
            process.stdin.write(wake)
            self.assert_status(process, 3)
            self.assert_one_line(process.stderr.read(), "stopped: the host has no memory left")


@unittest.skipIf("RINGONE_SANITIZED" in os.environ, "a sanitizer's own mappings would be counted")
class FewMappings(LauncherTest):
    """vm.max_map_count: see few_mappings.c. Boots under such limits are in tests/boot."""

    def run_with(self, **limits):
        limits = {"RINGONE_TEST_" + name: str(value) for name, value in limits.items()}
        return run_guest("n", env={**os.environ, "LD_PRELOAD": os.environ["RINGONE_FEW_MAPPINGS"], **limits})

    def test_a_low_limit(self):
        for left in (100, 200, 1000):
            done = self.run_with(MAPPINGS_LEFT=left)
            self.assertEqual((done.returncode, done.stdout == numbered_lines(20000), done.stderr), (0, True, b""), left)

    def test_too_low_a_limit(self):
        for left in (30, 60):
            done = self.run_with(MAPPINGS_LEFT=left)
            self.assertEqual((done.returncode, done.stdout), (2, b""), left)
            self.assert_one_line(done.stderr, "vm.max_map_count")


class LostOutput(LauncherTest):
    def test_it_is_not_a_success(self):
        for arguments in (["--help"], ["--version"], ["translate", "--at", "0x100000", GUEST]):
            with open("/dev/full", "wb") as full:
                done = subprocess.run([RINGONE, *arguments], stdout=full, stderr=subprocess.PIPE, timeout=30)
            self.assert_one_line(done.stderr, "cannot write to standard output")
            self.assertEqual(done.returncode, 2)


class TerminalSignals(LauncherTest):
    def test_whatever_ends_the_run_the_terminal_is_restored(self):
        for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGXCPU):
            terminal = Terminal(self, run_arguments("l"))
            terminal.read_until(b"looping")
            terminal.signal(number)
            self.assert_status(terminal.process, 128 + number)
            self.assertEqual(terminal.modes(), terminal.found)


if __name__ == "__main__":
    unittest.main()
