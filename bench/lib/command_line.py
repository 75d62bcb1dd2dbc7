# SPDX-License-Identifier: MIT
# Copyright (c) 2026 The RingOne authors
"""bench/run's options, and the computations."""
import argparse
import pathlib
import sys

import ablation
import interleaved
import linux_bench
import machine
import nano_bench
import peers
import report
import statistics_of_runs as figures

DEFAULT_PEERS = "native,ringone,tcg"
QUICK_ROUNDS, FULL_ROUNDS = 3, 9


def arguments(words):
    """Parses the command line."""
    parser = argparse.ArgumentParser(prog="bench/run", description=__import__("__main__").__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer samples and rounds")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--nano", action="store_true", help="single operations of a kernel instead of computations")
    kind.add_argument("--ablation", action="store_true",
                      help="computations, single operations and a boot with each optimization switched off in turn")
    kind.add_argument("--linux", action="store_true", help="a program under Linux instead of bare code")
    parser.add_argument("--counters", action="store_true",
                        help="with --linux: the monitor's counters an operation, instead of times")
    parser.add_argument("--against", metavar="PEER,PEER",
                        help=f"default: {DEFAULT_PEERS}; with --linux: {linux_bench.DEFAULT_PEERS}; with --nano: "
                             f"{nano_bench.DEFAULT_PEERS}")
    parser.add_argument("--items", metavar="NAME,NAME", help="only these items")
    parser.add_argument("--without", action="append", default=[], metavar="OPTION",
                        help="one more column: ringone with this optimization off; may be repeated")
    parser.add_argument("--rounds", type=int, help="how often every peer runs")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="writes all figures to a file")
    parser.add_argument("--build", type=pathlib.Path, default=peers.default_build(), metavar="DIRECTORY")
    return parser.parse_args(words)


def main(words):
    """0: measured. 1: the peers disagree on a result. 2: an option, or a peer that does not run."""
    options = arguments(words)
    if options.linux:
        return linux_bench.main(options)
    if options.ablation:
        return ablation.main(options)
    if options.nano:
        return nano_bench.main(options)
    options.against = options.against or DEFAULT_PEERS
    unknown = [name for name in options.against.split(",") if name not in peers.MAKERS]
    if unknown:
        print(f"bench/run: no such peer: {unknown[0]} (there are {', '.join(peers.MAKERS)})", file=sys.stderr)
        return 2
    payload_words = ["quick"] if options.quick else []
    if options.items:
        payload_words.append(f"items={options.items}")
    rounds = options.rounds or (QUICK_ROUNDS if options.quick else FULL_ROUNDS)
    where = machine.describe()
    try:
        chosen = [peers.MAKERS[name](options.build) for name in options.against.split(",")]
        chosen += [peers.ringone(options.build, [option]) for option in options.without]
        names = interleaved.item_names(chosen[0], payload_words)
        payload_words = [word for word in payload_words if not word.startswith("items=")]
        results = interleaved.measure(chosen, payload_words, names, rounds)
    except peers.PeerError as error:
        print(f"bench/run: {error}", file=sys.stderr)
        return 2
    wrong = figures.disagreements(results)
    for name, by_peer in wrong:
        seen = ", ".join(f"{peer} {sorted(map(hex, sums))}" for peer, sums in by_peer.items())
        print(f"bench/run: {name}: the peers disagree: {seen}", file=sys.stderr)
    for line in (*report.heading(where, results, rounds), *report.table(results)):
        print(line)
    if options.json:
        options.json.write_text(report.document(where, results) + "\n", encoding="ascii")
    return 1 if wrong else 0
