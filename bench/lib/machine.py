# SPDX-License-Identifier: MIT
# Copyright (c) 2026 The RingOne authors
"""Where a run took place."""
import os
import pathlib
import platform
import subprocess

import peers


def first_line(command):
    """The first line that a command prints, or a note that it does not run."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    except OSError:
        return "not installed"
    return (done.stdout.splitlines() or ["unknown"])[0]


def cpu_model():
    """The host CPU's name with family, model and stepping: the name alone is vague on cloud machines."""
    fields = {}
    for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines():
        key, _, value = line.partition(":")
        fields.setdefault(key.strip(), value.strip())
    return (f"{fields.get('model name', 'unknown')} (family {fields.get('cpu family', '?')}, "
            f"model {fields.get('model', '?')}, stepping {fields.get('stepping', '?')})")


def describe():
    """Machine, CPU, kernel and versions, by name."""
    root = pathlib.Path(__file__).resolve().parents[2]
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs",
        "cpu": cpu_model(),
        "kernel": platform.release(),
        "load": " ".join(f"{value:.2f}" for value in os.getloadavg()),
        "ringone": first_line(["git", "-C", str(root), "describe", "--always", "--dirty"]),
        "compiler": first_line(["gcc", "--version"]),
        "qemu": first_line([peers.QEMU, "--version"]),
    }
