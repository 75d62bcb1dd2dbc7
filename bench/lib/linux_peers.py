# SPDX-License-Identifier: MIT
# Copyright (c) 2026 The RingOne authors
"""The Linux program's peers: the host itself, and Debian's kernels in RingOne and in QEMU TCG."""
import dataclasses
import os
import pathlib
import re
import select
import shutil
import subprocess
import tempfile
import time

import peers

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Mitigations off for all: RingOne tells its guests by default that the CPU needs none, QEMU does not.
APPEND = "console=ttyS0 loglevel=1 panic=-1 mitigations=off"
TIMEOUT_SECONDS = 300
PROMPT = b"guest:"
FAILURE = re.compile(r"(item \S+ \S+)?failed ")  # perhaps in the middle of an item's line


def guests():
    """The folder that scripts/guest-files fills."""
    return pathlib.Path(os.environ.get("RINGONE_GUESTS", ROOT / ".cache" / "guests"))


def parse(name, text):
    """Items by name, each with its samples in cycles an operation; and the other lines of the program by first word."""
    items, others, finished = {}, [], False
    for line in text.replace("\r", "").splitlines():
        words = line.split()
        if FAILURE.match(line):
            raise peers.PeerError(f"{name}: {line}")
        if words[:1] == ["item"] and len(words) >= 6:
            count, checksum, *samples = (int(word) for word in words[3:])
            items[words[1]] = peers.ItemResult(words[2], count, checksum, [cycles / count for cycles in samples])
        elif words[:1] in (["name"], ["tsc"]):
            others.append(words)
        elif words == ["done"]:
            finished = True
    if not finished:
        raise peers.PeerError(f"{name}: the program did not finish: {' '.join(text.split()[-20:])}")
    return items, others


def run(name, command):
    """What a command printed, and how long it took."""
    begin = time.monotonic()
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                              timeout=TIMEOUT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise peers.PeerError(f"{name}: {error}") from error
    if done.returncode != 0:
        detail = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise peers.PeerError(f"{name}: exit status {done.returncode}: {' '.join(detail)}")
    return done.stdout, time.monotonic() - begin


@dataclasses.dataclass
class Native:
    """The program as a process of the host."""

    build: pathlib.Path
    name: str = "native"

    def program(self, words):
        """Its items, and its other lines."""
        folder = self.build / "bench" / "linux"
        out, wall = run(self.name, [folder / "linux-bench", f"tiny={folder / 'linux-bench-tiny'}",
                                    f"shell={guests() / 'busybox'}", *words])
        return (*parse(self.name, out), wall)


@dataclasses.dataclass
class Guest:
    """The program as the first process of a Debian kernel; a machine is a command without kernel, initrd, append."""

    name: str
    machine: list
    flavour: str
    initrd: pathlib.Path

    def command(self, append, dash):
        """The machine's command; options with one dash or two."""
        kernel = guests() / f"linux-{self.flavour}" / "vmlinuz"
        if not kernel.exists():
            raise peers.PeerError(f"{self.name}: no {kernel}: run scripts/guest-files")
        return [*self.machine, f"{dash}kernel", kernel, f"{dash}initrd", self.initrd, f"{dash}append", append]

    def dash(self):
        """QEMU's options have one dash."""
        return "-" if self.machine[0] == peers.QEMU else "--"

    def program(self, words, more=()):
        """Its items, and its other lines; more: options of the machine."""
        append = f"{APPEND} rdinit=/linux-bench -- {' '.join(words)}"
        out, wall = run(self.name, [*self.command(append, self.dash()), *more])
        return (*parse(self.name, out), wall)

    def boot_seconds(self, limit=TIMEOUT_SECONDS):
        """From the machine's start to the shell's prompt; None when that takes longer than `limit`."""
        begin = time.monotonic()
        with subprocess.Popen(self.command(APPEND, self.dash()), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL) as process:
            seen = b""
            while PROMPT not in seen:
                ready, _, _ = select.select([process.stdout], [], [], max(begin + limit - time.monotonic(), 0))
                if not ready:
                    process.kill()
                    return None
                part = os.read(process.stdout.fileno(), 65536)
                if not part:
                    process.kill()
                    raise peers.PeerError(f"{self.name}: no shell")
                seen += part
            wall = time.monotonic() - begin
            process.terminate()
        return wall


def make_initrd(build, folder):
    """BusyBox's archive, then one with the programs: the kernel unpacks both."""
    base = guests() / "initramfs.cpio.gz"
    if not base.exists():
        raise peers.PeerError(f"no {base}: run scripts/guest-files")
    tree, packed, initrd = folder / "tree", folder / "programs.gz", folder / "initrd"
    tree.mkdir()
    for name in ("linux-bench", "linux-bench-tiny"):
        shutil.copy(build / "bench" / "linux" / name, tree / name)
    subprocess.run([ROOT / "scripts" / "lib" / "make-initramfs", packed, tree], check=True)
    initrd.write_bytes(base.read_bytes() + packed.read_bytes())
    return initrd


def make(names, build, folder):
    """Peers by name: native, ringone, ringone-pae, tcg, tcg-pae."""
    initrd = make_initrd(build, folder) if any(name != "native" for name in names) else None
    machines = {"ringone": [str(build / "ringone"), "run", "-m", "256M"],
                "tcg": [peers.QEMU, "-accel", "tcg", "-m", "256", "-display", "none", "-serial", "stdio", "-monitor",
                        "none", "-no-reboot"]}
    made = []
    for name in names:
        machine, _, flavour = name.partition("-")
        if name == "native":
            made.append(Native(build))
        elif machine in machines and flavour in ("", "pae"):
            made.append(Guest(name, machines[machine], "686-pae" if flavour else "686", initrd))
        else:
            raise peers.PeerError(f"no such peer: {name} (there are native, ringone, ringone-pae, tcg, tcg-pae)")
    return made


def workspace():
    """A folder for the initramfs."""
    return tempfile.TemporaryDirectory(prefix="ringone-bench-")
