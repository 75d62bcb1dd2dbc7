#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Copyright (c) 2026 The RingOne authors
"""The payload computes the same natively and in RingOne, with all optimizations and with each off; and bench/run
tells when it does not. Usage: smoke_test.py SOURCE BUILD"""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

SOURCE, BUILD = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
sys.path.insert(0, str(SOURCE / "bench" / "lib"))
sys.dont_write_bytecode = True
import peers  # noqa: E402
import report  # noqa: E402
import statistics_of_runs as figures  # noqa: E402

SWITCHES = ["chain", "fall_through", "indirect_lookup", "return_cache"]
ITEMS = 19


def run(*words):
    """bench/run with the words, its exit status and output."""
    return subprocess.run([sys.executable, SOURCE / "bench" / "run", "--build", BUILD, *words], capture_output=True,
                          text=True, timeout=250, check=False)


class Smoke(unittest.TestCase):
    """bench/run as its users see it."""

    def test_peers_agree(self):
        """Every item, natively and translated: one run of each, equal checksums, a table and a JSON file."""
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "figures.json"
            done = run("--quick", "--rounds", "1", "--against", "native,ringone", "--json", str(file))
            self.assertEqual(done.returncode, 0, done.stderr)
            document = json.loads(file.read_text(encoding="ascii"))
        ours, native = (document["peers"][name]["items"] for name in ("ringone", "native"))
        self.assertEqual(len(native), ITEMS)
        self.assertEqual({name: item["checksum"] for name, item in ours.items()},
                         {name: item["checksum"] for name, item in native.items()})
        self.assertGreater(document["peers"]["ringone"]["translation_cycles_an_instruction"], 0)
        for name in native:
            self.assertIn(name, done.stdout)

    def test_without_optimizations(self):
        """Each switch off: the same results, in cheap items that each exit kind takes part in."""
        words = [word for switch in SWITCHES for word in ("--without", switch)]
        done = run("--quick", "--rounds", "1", "--against", "native", "--items", "crc_table,straight_line", *words)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_unknown_peer(self):
        """A user's error: one line, status 2."""
        done = run("--against", "abacus")
        self.assertEqual(done.returncode, 2)
        self.assertEqual(len(done.stderr.splitlines()), 1)

    def test_unknown_switch(self):
        """An optimization that does not exist is no silent no-op."""
        self.assertEqual(run("--quick", "--against", "native", "--without", "magic").returncode, 2)


class Judgement(unittest.TestCase):
    """The figures that bench/run draws from runs."""

    @staticmethod
    def made(checksum, samples):
        """A run with one item."""
        return peers.RunResult({"x": peers.ItemResult("identical", 0, checksum, samples)}, {}, 1.0)

    def test_disagreement_is_found(self):
        """One different checksum in one round is enough."""
        same, other = self.made(1, [5]), self.made(2, [5])
        self.assertEqual(figures.disagreements({"native": [same, same], "ringone": [same, same]}), [])
        self.assertEqual([n for n, _ in figures.disagreements({"native": [same, same], "ringone": [same, other]})], ["x"])

    def test_ratio_and_spread(self):
        """The median of the pairs: one round that went wrong does not move it."""
        base = [self.made(1, [100, 110]), self.made(1, [90, 95]), self.made(1, [100])]
        peer = [self.made(1, [150, 160]), self.made(1, [180, 200]), self.made(1, [900])]
        got = figures.ratio(base, peer, "x")
        self.assertAlmostEqual(got.value, 2.0)
        self.assertAlmostEqual(got.low, 1.75)
        self.assertAlmostEqual(got.high, 5.5)
        self.assertIn("MISSED", report.verdict("identical", got.value))

    def test_unstable_and_unfinished_output(self):
        """What the payload prints when something is wrong is an error, not a figure."""
        with self.assertRaises(peers.PeerError):
            peers.parse("p", "item x identical 0 unstable\n")
        with self.assertRaises(peers.PeerError):
            peers.parse("p", "item x identical 0 1 2 3\n")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
