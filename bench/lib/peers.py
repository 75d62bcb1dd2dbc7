# SPDX-License-Identifier: MIT
# Copyright (c) 2026 The RingOne authors
"""The peers: how each runs the payload, and what it printed."""
import dataclasses
import json
import pathlib
import shutil
import subprocess
import tempfile
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
    """A name, the command without the payload's command line, how to hand that over, the status of success, and the
    option for a file of counters."""

    name: str
    command: list
    append_flag: str = ""
    success: int = 0
    counters_flag: str = ""

    def run(self, words):
        """Runs the payload once; what it counted belongs to each of its items."""
        if self.append_flag:
            command = [*self.command, self.append_flag, " ".join(words)]
        else:
            command = [*self.command, *words]
        if not self.counters_flag:
            items, wall = self.execute(command)
            return RunResult(items, {}, wall)
        with tempfile.NamedTemporaryFile(prefix="ringone-bench-", suffix=".json") as file:
            items, wall = self.execute([*command, self.counters_flag, file.name])
            counted = json.loads(pathlib.Path(file.name).read_text(encoding="utf-8"))
        return RunResult(items, dict.fromkeys(items, counted), wall)

    def execute(self, command):
        """The items that a command printed, and the time it took."""
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
        return parse(self.name, done.stdout), wall


def parse(name, text):
    """Items from what a run printed."""
    items, finished = {}, False
    for line in text.replace("\r", "").splitlines():
        words = line.split()
        if words[:1] == ["item"]:
            if words[-1] == "unstable":
                raise PeerError(f"{name}: {words[1]} computed different results in two samples")
            units, checksum, *samples = (int(word, 16) for word in words[3:])
            items[words[1]] = ItemResult(words[2], units, checksum, samples)
        elif words == ["done"]:
            finished = True
    if not finished or not items:
        raise PeerError(f"{name}: the payload did not finish")
    return items


def native(build):
    """The payload as a program of the host."""
    return Peer("native", [build / "bench" / "payload-native"])


PAYLOAD, NANO = "payload-guest.elf", "nano.elf"


def ringone(build, without=(), image=PAYLOAD):
    """A guest of ours, optionally with optimizations switched off."""
    name = "ringone" + "".join(f" -{option}" for option in without)
    switches = ["--without", ",".join(without)] if without else []
    return Peer(name, [build / "ringone", "run", "-m", "64M", "--kernel", build / "bench" / image, *switches],
                "--append", counters_flag="--stats-json")


def tcg(build, image=PAYLOAD):
    """A guest of QEMU's translator. Its RDTSC is the host's: no -icount."""
    if shutil.which(QEMU) is None:
        raise PeerError(f"tcg: {QEMU} is not installed")
    return Peer("tcg", [QEMU, "-accel", "tcg", "-cpu", "max", "-m", "64", "-display", "none", "-serial", "stdio",
                        "-monitor", "none", "-no-reboot", "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
                        "-kernel", build / "bench" / image], "-append", QEMU_SUCCESS)


MAKERS = {"native": native, "ringone": ringone, "tcg": tcg}


def switches(build):
    """The names of the optimizations that `ringone run --without` knows, from its own message."""
    try:
        done = subprocess.run([build / "ringone", "run", "--kernel", "none", "--without", "?"], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=False)
    except OSError as error:
        raise PeerError(f"ringone: {error}") from error
    _, found, names = done.stderr.strip().partition("there is all, ")
    if not found:
        raise PeerError(f"ringone: cannot tell its switches from: {done.stderr.strip()}")
    return names.split(",")


def default_build():
    """The release build of the checkout that this file is in."""
    return pathlib.Path(__file__).resolve().parents[2] / "build" / "release"
