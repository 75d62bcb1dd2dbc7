# SPDX-License-Identifier: MIT
# Copyright (c) 2026 The RingOne authors
"""Runs the ringone command for tests.

The environment names what CMake has built: RINGONE (the command), RINGONE_TEST_GUEST (guest.asm), and where Debian's
kernels are: RINGONE_GUESTS.
"""
import fcntl
import os
import pathlib
import pty
import select
import subprocess
import tempfile
import termios
import time
import unittest

RINGONE = os.environ["RINGONE"]
GUEST = os.environ["RINGONE_TEST_GUEST"]
LIMIT = 30  # seconds for anything that ends by itself; the machine may be busy
PROMPT = 5  # seconds within which a signal or a key must have ended a run


def run_arguments(action, *more):
    memory = [] if "-m" in more else ["-m", "16M"]
    return [RINGONE, "run", "--kernel", GUEST, "--append", action, *memory, *more]


def run(*arguments, **options):
    """The command to its end; standard input is empty unless given."""
    if "input" not in options:
        options.setdefault("stdin", subprocess.DEVNULL)
    options.setdefault("timeout", LIMIT)
    return subprocess.run([RINGONE, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


def run_guest(action, *more, **options):
    return run(*run_arguments(action, *more)[1:], **options)


def start(action, *more, **options):
    for stream in ("stdin", "stdout", "stderr"):
        options.setdefault(stream, subprocess.PIPE)
    return subprocess.Popen(run_arguments(action, *more), bufsize=0, **options)


class LauncherTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.folder.chmod(0o755)

    def enterContext(self, context):  # Python 3.11 has it; older ones have not
        value = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        return value

    def started(self, action, *more, **options):
        process = start(action, *more, **options)
        self.addCleanup(end_for_sure, process)
        return process

    def assert_one_line(self, stderr, part):
        text = stderr.decode()
        self.assertTrue(text.startswith("ringone: "), text)
        self.assertTrue(text.endswith("\n") and text.count("\n") == 1, text)
        self.assertNotIn("\r", text)
        self.assertIn(part, text)

    def assert_status(self, process, status, limit=PROMPT):
        try:
            self.assertEqual(process.wait(limit), status)
        except subprocess.TimeoutExpired:
            self.fail(f"still running {limit} s later")


def end_for_sure(process):
    if process.poll() is None:
        process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream:
            stream.close()


def read_until(fd, text, limit=LIMIT):
    """What a descriptor gives up to `text` and including it."""
    data = b""
    deadline = time.monotonic() + limit
    while text not in data:
        if not select.select([fd], [], [], max(0, deadline - time.monotonic()))[0]:
            raise AssertionError(f"no {text!r} within {limit} s, but {data[-2000:]!r}")
        try:
            chunk = os.read(fd, 4096)
        except OSError:  # EIO: a terminal that nobody has open any more
            chunk = b""
        if not chunk:
            raise AssertionError(f"the end instead of {text!r}: {data[-2000:]!r}")
        data += chunk
    return data


def read_to_end(fd, at_once, pause):
    """All that a pipe gives until it is closed, `at_once` bytes and then a pause in seconds."""
    data = b""
    while True:
        if not select.select([fd], [], [], LIMIT)[0]:
            raise AssertionError(f"nothing more for {LIMIT} s after {len(data)} bytes")
        chunk = os.read(fd, at_once)
        if not chunk:
            return data
        data += chunk
        time.sleep(pause)


def numbered_lines(count):
    return b"".join(b"line %08d\n" % i for i in range(count))


class Terminal:
    """A pseudo-terminal with a process that has it as its controlling terminal, as under a shell."""

    def __init__(self, test, arguments):
        self.master, self.slave = pty.openpty()
        test.addCleanup(self.close)
        self.found = termios.tcgetattr(self.slave)
        self.process = subprocess.Popen(arguments, stdin=self.slave, stdout=self.slave, stderr=self.slave,
                                        preexec_fn=self._own_it)
        test.addCleanup(end_for_sure, self.process)

    def _own_it(self):
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def close(self):
        for name in ("master", "slave"):
            if getattr(self, name) is not None:
                os.close(getattr(self, name))
                setattr(self, name, None)

    def hang_up(self):
        os.close(self.master)
        self.master = None

    def type(self, data):
        os.write(self.master, data)

    def read_until(self, text, limit=LIMIT):
        return read_until(self.master, text, limit)

    def read_rest(self):
        data = b""
        while select.select([self.master], [], [], 0.1)[0]:
            data += os.read(self.master, 4096)
        return data

    def modes(self):
        return termios.tcgetattr(self.slave)

    def is_raw(self):
        return not self.modes()[3] & (termios.ICANON | termios.ECHO | termios.ISIG)

    def wait_until_raw(self):
        deadline = time.monotonic() + PROMPT
        while not self.is_raw():
            if time.monotonic() > deadline:
                raise AssertionError("not in raw mode")
            time.sleep(0.01)

    def wait_for_stop(self):
        deadline = time.monotonic() + PROMPT
        while time.monotonic() < deadline:
            state = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[0]
            if state == "T":
                return
            time.sleep(0.01)
        raise AssertionError("not stopped")

    def signal(self, number):
        self.process.send_signal(number)
