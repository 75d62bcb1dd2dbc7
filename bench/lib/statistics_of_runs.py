# SPDX-License-Identifier: MIT
# Copyright (c) 2026 The RingOne authors
"""From runs to figures: minima, ratios with their spread, means of groups."""
import dataclasses
import math
import statistics

BASE = "native"


@dataclasses.dataclass
class Ratio:
    """The median of the ratios within single rounds, and the quartiles around it."""

    value: float
    low: float
    high: float


def best(runs, item):
    """The least cycles that a sample of the item took in any of the runs."""
    return min(min(run.items[item].samples) for run in runs)


def ratio(base_runs, peer_runs, item):
    """Peer over base. Rounds pair up: run i of one was next to run i of the other, at the same speed of the machine
    more often than not. A median of pairs keeps to that; best over best would compare two lucky moments."""
    single = sorted(min(p.items[item].samples) / min(b.items[item].samples) for b, p in zip(base_runs, peer_runs))
    if len(single) == 1:
        return Ratio(single[0], single[0], single[0])
    low, middle, high = statistics.quantiles(single, n=4, method="inclusive")
    return Ratio(middle, low, high)


def geometric_mean(values):
    """Of a non-empty sequence of positive numbers."""
    return math.exp(statistics.fmean(math.log(value) for value in values))


def groups(runs):
    """Item names by group, both in the payload's order."""
    found = {}
    for name, item in runs[0].items.items():
        found.setdefault(item.group, []).append(name)
    return found


def noise(runs):
    """How far the rounds' minima of one peer lie apart: median and worst over the items, as fractions."""
    spreads = []
    for item in runs[0].items:
        minima = [min(run.items[item].samples) for run in runs]
        spreads.append(max(minima) / min(minima) - 1)
    return statistics.median(spreads), max(spreads)


def disagreements(results):
    """Items whose checksum is not the same everywhere, as (item, {peer: checksum})."""
    seen = {}
    for peer, runs in results.items():
        for run in runs:
            for name, item in run.items.items():
                seen.setdefault(name, {}).setdefault(peer, set()).add(item.checksum)
    return [(name, by_peer) for name, by_peer in seen.items() if len(set().union(*by_peer.values())) != 1]
