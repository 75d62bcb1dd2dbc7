# SPDX-License-Identifier: MIT
# Copyright (c) 2026 The RingOne authors
"""Rounds in which the peers take turns."""
import sys

import peers


def item_names(peer, words):
    """The items that the words choose, from one run that also warms the machine up."""
    return list(peer.run([*words, "samples=1"]).items)


def measure(chosen, words, names, rounds):
    """Runs every item in every peer, once a round, peer after peer, each round beginning with another one. The peers'
    turns at one item are a fraction of a second apart: a machine's speed wanders, its ratios stay."""
    results = {peer.name: [peers.RunResult({}, {}, 0.0) for _ in range(rounds)] for peer in chosen}
    for number in range(rounds):
        shift = number % len(chosen)
        for name in names:
            if sys.stderr.isatty():
                print(f"\rround {number + 1} of {rounds}: {name:<40}", end="", file=sys.stderr, flush=True)
            for peer in chosen[shift:] + chosen[:shift]:
                results[peer.name][number].add(peer.run([*words, f"items={name}"]))
    if sys.stderr.isatty():
        print("\r" + " " * 60 + "\r", end="", file=sys.stderr)
    return results
