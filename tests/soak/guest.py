# SPDX-License-Identifier: MIT
# Copyright (c) 2026 The RingOne authors
"""A Debian kernel at its shell prompt, by pipes."""
import os
import pathlib
import re
import select
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
RINGONE = pathlib.Path(os.environ.get("RINGONE", ROOT / "build/release/ringone"))
GUESTS = pathlib.Path(os.environ.get("RINGONE_GUESTS", ROOT / ".cache/guests"))
FLAVOURS = ("686", "686-pae", "rt-686-pae")
PROMPT = "guest:/root# "
BAD = re.compile(r"Kernel panic|Oops|\bBUG: |WARNING: CPU|rcu.*stall|soft lockup|Clocksource.*skewed|Marking clocksource")


class Failure(Exception):
    pass


class Guest:
    """`with Guest(flavour) as guest`: booted to the prompt; killed at the end if it is still there."""

    def __init__(self, flavour, append="", options=(), prefix=(), limit=60):
        self.output = ""
        self.limit = limit
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [*prefix, RINGONE, "run", "--kernel", GUESTS / f"linux-{flavour}/vmlinuz", "--initrd",
             GUESTS / "initramfs.cpio.gz", "--append", f"console=ttyS0 panic=-1 {append}", *options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0)

    def __enter__(self):
        try:
            self.read_until(PROMPT)
            self.seconds_to_prompt = time.monotonic() - self.started
            self.type("stty columns 1000")  # so that what is typed comes back as one line
            self.read_until(PROMPT)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def read_some(self, limit=None):
        """What there is, or what comes first; the empty string at the end of the process."""
        if not select.select([self.process.stdout], [], [], limit or self.limit)[0]:
            raise Failure(f"nothing more from the guest, but {self.output[-1000:]!r}")
        chunk = os.read(self.process.stdout.fileno(), 4096).decode(errors="replace")
        if chunk == "\r":  # the rest of the line is to come; it is not the end
            return self.read_some(limit)
        chunk = chunk.replace("\r", "")
        self.output += chunk
        return chunk

    def read_until(self, text, limit=None):
        """Everything up to `text`, which is taken."""
        start = len(self.output)
        while text not in self.output[start:]:
            if not self.read_some(limit):
                status = self.process.wait(self.limit)
                raise Failure(f"the guest ended with status {status}: {self.output[-1000:]!r}")
        return self.output[start:].split(text)[0]

    def type(self, line):
        self.process.stdin.write(line.encode() + b"\n")

    def command(self, line, limit=None):
        """What a command prints."""
        self.type(line)
        self.read_until("\n")
        return self.read_until(PROMPT, limit)

    def power_off(self):
        """To the end of the process, which must be a clean one."""
        self.type("poweroff -f")
        while self.read_some():
            pass
        status = self.process.wait(self.limit)
        if status != 0:
            raise Failure(f"exit status {status}: {self.output[-1000:]!r}")
        complaint = BAD.search(self.output)
        if complaint:
            raise Failure(f"the guest said {complaint[0]!r}: {self.output[-4000:]}")
