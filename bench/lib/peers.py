# SPDX-License-Identifier: MIT
# Copyright (c) 2026 The RingOne authors
"""The peers: how each runs the payload, and what it printed."""
import dataclasses
import json
import pathlib
import shutil
import subprocess
import time

TIMEOUT_SECONDS = 600
QEMU = "qemu-system-i386"
QEMU_SUCCESS = 1  # isa-debug-exit: (value << 1) | 1


class PeerError(Exception):
    """A peer that cannot run, or whose output is not what the payload prints."""


@dataclasses.dataclass
class ItemResult:
    """One item in one run of one peer; samples in TSC cycles."""

    group: str
    units: int
    checksum: int
    samples: list


@dataclasses.dataclass
class RunResult:
    """One run of the payload, or one round of runs: counters by item."""

    items: dict
    counters: dict
    wall_seconds: float

    def add(self, other):
        """Takes in a run of other items."""
        self.items.update(other.items)
        self.counters.update(other.counters)
        self.wall_seconds += other.wall_seconds


@dataclasses.dataclass
class Peer:
    """A name, the command without the payload's command line, how to hand that over, and the status of success."""

    name: str
    command: list
    append_flag: str = ""
    success: int = 0

    def run(self, words):
        """Runs the payload once."""
        if self.append_flag:
            command = [*self.command, self.append_flag, " ".join(words)]
        else:
            command = [*self.command, *words]
        begin = time.monotonic()
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                                  timeout=TIMEOUT_SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise PeerError(f"{self.name}: {error}") from error
        wall = time.monotonic() - begin
        if done.returncode != self.success:
            detail = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
            raise PeerError(f"{self.name}: exit status {done.returncode}: {' '.join(detail)}")
        return RunResult(*parse(self.name, done.stdout), wall)


def parse(name, text):
    """Items and counters from what a run printed."""
    items, counters, finished = {}, {}, False
    for line in text.replace("\r", "").splitlines():
        words = line.split()
        if words[:1] == ["item"]:
            if words[-1] == "unstable":
                raise PeerError(f"{name}: {words[1]} computed different results in two samples")
            units, checksum, *samples = (int(word, 16) for word in words[3:])
            items[words[1]] = ItemResult(words[2], units, checksum, samples)
        elif words[:1] == ["counters"]:
            counted = json.loads(line[len("counters "):])
            counters = dict.fromkeys(items, counted)
        elif words == ["done"]:
            finished = True
    if not finished or not items:
        raise PeerError(f"{name}: the payload did not finish")
    return items, counters


def native(build):
    """The payload as a program of the host."""
    return Peer("native", [build / "bench" / "payload-native"])


def ringone(build, without=()):
    """The payload as a guest of ours, optionally with optimizations switched off."""
    name = "ringone" + "".join(f" -{option}" for option in without)
    switches = [word for option in without for word in ("--without", option)]
    return Peer(name, [build / "bench" / "guest_runner", build / "bench" / "payload-guest.elf", *switches], "--append")


def tcg(build):
    """The payload as a guest of QEMU's translator. Its RDTSC is the host's: no -icount."""
    if shutil.which(QEMU) is None:
        raise PeerError(f"tcg: {QEMU} is not installed")
    return Peer("tcg", [QEMU, "-accel", "tcg", "-cpu", "max", "-m", "64", "-display", "none", "-serial", "stdio",
                        "-monitor", "none", "-no-reboot", "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
                        "-kernel", build / "bench" / "payload-guest.elf"], "-append", QEMU_SUCCESS)


MAKERS = {"native": native, "ringone": ringone, "tcg": tcg}


def default_build():
    """The release build of the checkout that this file is in."""
    return pathlib.Path(__file__).resolve().parents[2] / "build" / "release"
