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
import ablation  # noqa: E402
import linux_bench  # noqa: E402
import linux_peers  # noqa: E402
import nano_bench  # noqa: E402
import peers  # noqa: E402
import report  # noqa: E402
import statistics_of_runs as figures  # noqa: E402

ITEMS = 19
NANO_ITEMS = 37
# What an item of bench/nano counts itself: an exception or a system call for each of its operations.
COUNTED = ["divide_error", "invalid_opcode", "general_protection", "interrupt", "sysenter_sysexit", "int_iret",
           "linux_system_call", "page_fault_true", "page_fault_mapped"]
LINUX_ITEMS = 27


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
        switches = peers.switches(BUILD)
        self.assertIn("return-cache", switches)
        words = [word for switch in switches for word in ("--without", switch)]
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


class Nano(unittest.TestCase):
    """bench/run --nano."""

    def test_operations_happen(self):
        """As many exceptions as there should be, in RingOne and in TCG, and equal checksums; a row for each item."""
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "figures.json"
            done = run("--nano", "--quick", "--rounds", "1", "--json", str(file))
            self.assertEqual(done.returncode, 0, done.stderr)
            document = json.loads(file.read_text(encoding="ascii"))
        for peer in ("ringone", "tcg"):
            items = document["peers"][peer]["rounds"][0]
            self.assertEqual(len(items), NANO_ITEMS)
            self.assertEqual([name for name in COUNTED if items[name]["checksum"] != items[name]["units"]], [])
            self.assertEqual(items["page_fault_hidden"]["checksum"], 0)
        for name in items:
            self.assertIn(f"| {name} |", done.stdout)

    def test_all_optimizations_off(self):
        """The same counts with the plainest code."""
        plain = peers.ringone(BUILD, ["all"], peers.NANO).run(["quick"])
        self.assertEqual([name for name in COUNTED if plain.items[name].checksum != plain.items[name].units], [])

    def test_table(self):
        """Cycles an operation, and the ratio to TCG."""
        def run_of(cycles):
            return [peers.RunResult({"x": peers.ItemResult("flags", 10, 0, [cycles])}, {}, 1.0)]
        text = "\n".join(nano_bench.table({"ringone": run_of(50), "tcg": run_of(2000)}))
        self.assertIn("| x | 5.0 | 200 | 0.03 [0.03-0.03] |", text)

    def test_unknown_peer(self):
        """A user's error: one line, status 2."""
        done = run("--nano", "--against", "abacus")
        self.assertEqual((done.returncode, len(done.stderr.splitlines())), (2, 1))


class Ablation(unittest.TestCase):
    """bench/run --ablation: what is made of its runs. It takes minutes and boots; its parts are tested above."""

    @staticmethod
    def run_of(**cycles):
        """A round with the items, all of one group."""
        return [peers.RunResult({n: peers.ItemResult("calls", 1, 0, [c]) for n, c in cycles.items()}, {}, 1.0)]

    def test_table(self):
        """Ratios to all switched on, and the item that changes most, be it for the better."""
        results = {"ringone": self.run_of(x=100, y=100), "ringone -chain": self.run_of(x=200, y=800),
                   "ringone -adaptive": self.run_of(x=25, y=100)}
        text = "\n".join(ablation.table(results, ("boot", {"ringone -chain": "1.50", "ringone -adaptive": "> 9"})))
        self.assertIn("| chain | 4.00 | 1.50 | y 8.00 |", text)
        self.assertIn("| adaptive | 0.50 | > 9 | x 0.25 |", text)

    def test_boots(self):
        """Medians; a bound for what did not come up."""
        cells = ablation.boot_cells({"ringone": [3.0, 2.0, 4.0], "ringone -chain": None, "ringone -adaptive": [6.0]})
        self.assertEqual(cells, {"ringone": "1.00", "ringone -chain": "> 10", "ringone -adaptive": "2.00"})


class LinuxProgram(unittest.TestCase):
    """bench/run --linux: the program natively, and what is made of its lines. Boots are tests/boot's."""

    def test_items_natively(self):
        """Every item runs; the fixed count of `only` is taken."""
        items, _, _ = linux_peers.Native(BUILD).program(["samples=1", "sample=100000"])
        self.assertGreaterEqual(len(items), LINUX_ITEMS - 1)  # without the guests' BusyBox no fork_shell
        self.assertEqual({item.group for item in items.values()},
                         {"syscall", "signal", "ipc", "process", "memory", "compute"})
        self.assertTrue(all(cycles > 0 for item in items.values() for cycles in item.samples))
        alone, _, _ = linux_peers.Native(BUILD).program(["only=fork_exit", "count=3"])
        self.assertEqual([(name, item.units) for name, item in alone.items()], [("fork_exit", 3)])

    def test_lines(self):
        """Cycles an operation; an item that a machine cannot do is left out; failures are errors."""
        items, _ = linux_peers.parse("p", "item a g 4 9 400 800\r\nitem b g n/a\ndone\n")
        self.assertEqual({name: (i.checksum, i.samples) for name, i in items.items()}, {"a": (9, [100.0, 200.0])})
        for text in ("item a g 4 9 400\n", "item a gfailed a child: x\nfailed pipe: x\ndone\n"):
            with self.assertRaises(peers.PeerError):
                linux_peers.parse("p", text)

    def test_table(self):
        """Ratios to native and to TCG, a dash where a peer lacks the item, and the target."""
        def run_of(**cycles):
            return [peers.RunResult({n: peers.ItemResult("compute", 1, 0, [c]) for n, c in cycles.items()}, {}, 1.0)]
        results = {"native": run_of(x=100.0), "ringone": run_of(x=130.0, y=50.0), "tcg": run_of(x=260.0, y=100.0)}
        text = "\n".join(linux_bench.table(results, {"ringone": [2.0], "tcg": [4.0]}, 1000000000))
        self.assertIn("| x | 100 ns | 130 ns | 260 ns | 1.30 [1.30-1.30] | 2.60 [2.60-2.60] | 0.50 [0.50-0.50] | MISSED", text)
        self.assertIn("| y | n/a | 50 ns | 100 ns | - | - | 0.50", text)
        self.assertIn("| boot to shell |  | 2.00 s | 4.00 s | - | - | 0.50 |", text)

    def test_unknown_peer(self):
        """A user's error: one line, status 2."""
        done = run("--linux", "--against", "abacus")
        self.assertEqual((done.returncode, len(done.stderr.splitlines())), (2, 1))


class UpdateReadme(unittest.TestCase):
    """scripts/update-readme: figures go where they belong, and nowhere else."""

    @staticmethod
    def update(folder, readme, linux_change=lambda document: None):
        """Runs the script on made-up figures: RingOne takes 2 and 3, TCG 8 and 12 times as long."""
        folder = pathlib.Path(folder)
        groups = ("identical", "sort", "calls", "indirect", "branches", "memory")
        computed = {"peers": {peer: {"items": {group: {"group": group, "ratio": {"value": value}} for group in groups}}
                              for peer, value in (("ringone", 2.0), ("tcg", 8.0))} | {"native": {"noise": [0.03, 0.1]}}}
        names = ("getppid_vdso", "read_zero", "stat", "signal_deliver", "pipe_round_trip", "page_fault", "fork_exec",
                 "fork_shell")
        linux = {"machine": {"cpu": "C", "kernel": "K", "ringone": "R", "qemu": "Q (x)", "load": "1"},
                 "boot_seconds": {"ringone": [3.0], "tcg": [6.0]},
                 "peers": {peer: [{name: {"group": "g", "units": 1, "checksum": 0, "samples": [cycles]} for name in names}]
                           for peer, cycles in (("native", 100), ("ringone", 300), ("tcg", 1200))}}
        linux_change(linux)
        for name, document in (("c", computed), ("l", linux)):
            (folder / name).write_text(json.dumps(document), encoding="ascii")
        (folder / "README.md").write_text(readme, encoding="ascii")
        done = subprocess.run([sys.executable, SOURCE / "scripts" / "update-readme", folder / "c", folder / "l",
                               folder / "README.md"], capture_output=True, text=True, check=False)
        return done.returncode, (folder / "README.md").read_text(encoding="ascii")

    def test_figures(self):
        """The old figures go; text around them stays; a second run changes nothing."""
        with tempfile.TemporaryDirectory() as folder:
            readme = "before\n<!-- figures: scripts/update-readme -->\nold\n<!-- end of figures -->\nbehind\n"
            status, text = self.update(folder, readme)
            self.assertEqual(status, 0)
            self.assertTrue(text.startswith("before\n") and text.endswith("behind\n"))
            self.assertNotIn("old", text)
            self.assertIn("lay 3% and 0% apart", text)
            self.assertIn("| quicksort (2) | 2.00 | 8.00 |", text)
            self.assertIn("| page fault | 3.00 | 12 | 0.25 |", text)
            self.assertIn("| boot to the shell | 3.0 s | 6.0 s | 0.50 |", text)
            self.assertEqual(self.update(folder, text), (0, text))

    def test_wrong(self):
        """No place, or figures that lack an item: nothing is written."""
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(self.update(folder, "no place\n"), (1, "no place\n"))
            readme = "<!-- figures: scripts/update-readme -->\n<!-- end of figures -->\n"
            self.assertEqual(self.update(folder, readme, lambda document: document["peers"]["tcg"][0].pop("stat")),
                             (2, readme))


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
