# SPDX-License-Identifier: MIT
# Copyright (c) 2026 The RingOne authors
"""Whatever the user gets wrong is one line on standard error and status 2."""
import os
import pathlib
import resource
import shutil
import struct
import threading
import unittest

from machine import GUEST, RINGONE, LauncherTest, run, run_arguments, run_guest

NOBODY = 65534
PAGE = 4096


def bzimage(**fields):
    """A bzImage header (Linux Documentation/arch/x86/boot.rst) without a kernel behind it."""
    image = bytearray(0x800 + 0x1000)
    values = {0x1F1: ("B", 3), 0x1F4: ("I", 0x100), 0x1FE: ("H", 0xAA55), 0x201: ("B", 0x66), 0x202: ("4s", b"HdrS"),
              0x206: ("H", 0x20F), 0x211: ("B", 1), 0x214: ("I", 0x100000), 0x22C: ("I", 0x7FFFFFFF), 0x238: ("I", 2047),
              0x258: ("Q", 0x1000000), 0x260: ("I", 0x800000)}
    values |= fields.get("instead", {})
    for offset, (kind, value) in values.items():
        struct.pack_into("<" + kind, image, offset, value)
    return bytes(image)


class BadInput(LauncherTest):
    def write(self, name, data):
        path = self.folder / name
        path.write_bytes(data)
        return str(path)

    def assert_refused(self, part, *arguments, **options):
        done = run(*arguments, **options)
        self.assert_one_line(done.stderr, part)
        self.assertEqual((done.returncode, done.stdout), (2, b""))

    def assert_kernel_refused(self, part, data, *more):
        self.assert_refused(part, "run", "--kernel", self.write("kernel", data), *more)

    def assert_guest_refused(self, part, *more):
        self.assert_refused(part, "run", "--kernel", GUEST, "--append", "x", *more)

    def test_kernel_file(self):
        self.assert_refused("No such file", "run", "--kernel", str(self.folder / "none"))
        self.assert_refused("Is a directory", "run", "--kernel", str(self.folder))
        self.assert_refused("cannot read", "run", "--kernel", "")

    def test_kernel_from_a_pipe(self):
        pipe = self.folder / "pipe"
        os.mkfifo(pipe)
        writer = threading.Thread(target=lambda: pipe.write_bytes(pathlib.Path(GUEST).read_bytes()))
        writer.start()
        self.assertEqual(run("run", "--kernel", str(pipe), "--append", "x").returncode, 42)
        writer.join()
        self.assert_refused("is empty", "run", "--kernel", os.devnull)
        self.assert_refused("does not fit", "run", "--kernel", "/dev/zero")

    def test_unreadable_files(self):
        for_others = shutil.copy(RINGONE, self.folder / "ringone")
        kernel = self.write("kernel", pathlib.Path(GUEST).read_bytes())
        secret = self.write("secret", b"secret")
        os.chmod(secret, 0)
        others = {"user": NOBODY, "group": NOBODY} if os.geteuid() == 0 else {}
        refused = [["--kernel", secret], ["--kernel", kernel, "--initrd", secret]]
        for arguments in refused:
            done = run("run", *arguments, executable=for_others, cwd=self.folder, **others)
            self.assert_one_line(done.stderr, "Permission denied")
            self.assertEqual((done.returncode, done.stdout), (2, b""))

    def test_no_kernel(self):
        self.assert_kernel_refused("is empty", b"")
        self.assert_kernel_refused("is no kernel", b"#!/bin/sh\necho hello\n" * 1000)
        self.assert_kernel_refused("is no kernel", b"\x7f")
        self.assert_kernel_refused("without a multiboot header", b"\x7fELF\x01\x01\x01" + bytes(100))

    def test_64_bit_kernels(self):
        self.assert_kernel_refused("64-bit", b"\x7fELF\x02\x01\x01" + bytes(100))
        self.assert_kernel_refused("64-bit", bzimage(instead={0x236: ("H", 0x3F)}))
        self.assert_kernel_refused("no 32-bit entry", bzimage(instead={0x211: ("B", 0)}))

    def test_truncated_kernels(self):
        for length in (0x208, 0x264, 0x800, 0x17FF):
            self.assert_kernel_refused("is truncated", bzimage()[:length])
        self.assert_kernel_refused("is truncated", pathlib.Path(GUEST).read_bytes()[:20])

    def test_initrd(self):
        self.assert_guest_refused("cannot read the initrd", "--initrd", str(self.folder / "none"))
        self.assert_guest_refused("Is a directory", "--initrd", str(self.folder))
        large = self.write("large", bytes(2 << 20))
        self.assert_guest_refused("does not fit", "--initrd", large, "-m", "2M")
        self.assert_guest_refused("does not fit", "--initrd", large, "-m", "3M")
        self.assertEqual(run_guest("x", "--initrd", large).returncode, 42)

    def test_initrd_that_just_fits(self):
        """The guest's program ends below 1 MiB + 64 KiB; what is between that and the end of memory is the initrd's."""
        length = 1 << 20
        while length > 0 and run_guest("x", "--initrd", self.write("initrd", bytes(length)), "-m", "2M").returncode != 42:
            length -= PAGE
        self.assertGreaterEqual(length, (1 << 20) - (64 << 10))
        self.assert_guest_refused("does not fit", "--initrd", self.write("initrd", bytes(length + PAGE)), "-m", "2M")

    def test_limits_of_the_host(self):
        def limit(kind, value):
            return {"preexec_fn": lambda: resource.setrlimit(kind, (value, value))}

        # A sanitized command's shadow memory takes 16 TiB of address space before its first line runs.
        for mebibytes in () if "RINGONE_SANITIZED" in os.environ else (100, 4000):
            self.assert_refused("ulimit -v", *run_arguments("x")[1:], **limit(resource.RLIMIT_AS, mebibytes << 20))
        self.assert_refused("cannot", *run_arguments("x")[1:], **limit(resource.RLIMIT_NOFILE, 5))

    def test_memory_size(self):
        for most_and_least in ("2M", "3583M", "3584M"):
            self.assertEqual(run_guest("x", "-m", most_and_least).returncode, 42)
        self.assert_guest_refused("the least is 2 MiB", "-m", "1")
        self.assert_guest_refused("the least is 2 MiB", "-m", "0")
        self.assert_guest_refused("more than a 32-bit machine", "-m", "5G")
        self.assert_guest_refused("the most is 3584 MiB", "-m", "3585M")
        for text in ("many", "64X", "1.5G", "", "64M 64M", "-5"):
            self.assert_guest_refused("-m", "-m", text)
        self.assert_kernel_refused("-m: 20 MiB of memory are too small", bzimage(), "-m", "20M")

    def test_zone_size(self):
        for text in ("1M", "2G", "zone"):
            self.assert_guest_refused("--zone", "--zone", text)

    def test_long_command_line(self):
        self.assert_kernel_refused("--append", bzimage(), "--append", "x" * 2048)

    def test_options(self):
        self.assert_guest_refused("--unknown", "--unknown")
        self.assert_guest_refused("surplus", "surplus")
        self.assert_guest_refused("nothing", "--without", "nothing")
        self.assert_guest_refused("nothing", "--without", "chain,nothing")
        self.assert_guest_refused("loud", "--log", "loud")
        self.assert_guest_refused("moon", "--world", "moon")
        self.assert_guest_refused("--append", "--append")
        self.assert_refused("--kernel", "run")
        self.assert_refused("ringone", "unknown")
        self.assert_refused("ringone")

    def test_statistics_file(self):
        self.assert_guest_refused("cannot write", "--stats-json", "/dev/full")
        self.assert_guest_refused("--stats-json", "--stats-json", str(self.folder / "none" / "file"))


if __name__ == "__main__":
    unittest.main()
