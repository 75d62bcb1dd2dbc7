# SPDX-License-Identifier: MIT
# Copyright (c) 2026 The RingOne authors
"""bench/run --nano: single operations of a kernel, in cycles, in RingOne and in TCG."""
import dataclasses
import json
import sys

import machine
import peers
import report
import statistics_of_runs as figures

DEFAULT_PEERS = "ringone,tcg"
MAKERS = {"ringone": lambda build: peers.ringone(build, image=peers.NANO),
          "tcg": lambda build: peers.tcg(build, image=peers.NANO)}
QUICK_ROUNDS, FULL_ROUNDS = 3, 9


def measure(chosen, rounds, words=()):
    """The whole image in every peer, once a round, each round beginning with another one."""
    results = {peer.name: [] for peer in chosen}
    for number in range(rounds):
        shift = number % len(chosen)
        for peer in chosen[shift:] + chosen[:shift]:
            results[peer.name].append(peer.run(words))
    return results


def operation(runs, name):
    """The least cycles that an operation took, its share of the loop included."""
    return figures.best(runs, name) / runs[0].items[name].units


def table(results):
    """Markdown: cycles an operation, and ratios to TCG, or to the first peer where there is no TCG."""
    base = "tcg" if "tcg" in results else next(iter(results))
    others = [name for name in results if name != base]
    yield "| item | " + " | ".join([*results, *(f"{name}/{base}" for name in others)]) + " |"
    yield "|---|" + "---:|" * (len(results) + len(others))
    for group, names in figures.groups(results[base]).items():
        for name in names:
            cells = [f"{operation(runs, name):.{0 if operation(runs, name) >= 100 else 1}f}" for runs in results.values()]
            ratios = [figures.ratio(results[base], results[other], name) for other in others]
            yield f"| {name} | " + " | ".join([*cells, *(f"{r.value:.2f} [{r.low:.2f}-{r.high:.2f}]" for r in ratios)]) + " |"
        means = [figures.geometric_mean([figures.ratio(results[base], results[other], name).value for name in names])
                 for other in others]
        yield f"| **mean {group}** | " + " | ".join([*[""] * len(results), *(f"**{mean:.2f}**" for mean in means)]) + " |"


def document(where, results):
    """All there is, for machines."""
    return json.dumps({"machine": where, "peers": {name: {
        "noise": figures.noise(runs), "counters": next(iter(runs[-1].counters.values()), {}),
        "rounds": [{item: dataclasses.asdict(result) for item, result in run.items.items()} for run in runs]}
        for name, runs in results.items()}}, indent=1)


def choose(options, default):
    """The peers that the options name, and one for each switch."""
    names = (options.against or default).split(",")
    unknown = [name for name in names if name not in MAKERS]
    if unknown:
        raise peers.PeerError(f"no such peer: {unknown[0]} (there are {', '.join(MAKERS)})")
    return [*(MAKERS[name](options.build) for name in names),
            *(peers.ringone(options.build, [switch], peers.NANO) for switch in options.without)]


def main(options):
    """0: measured. 1: the peers disagree on what was done. 2: a peer that does not run."""
    rounds = options.rounds or (QUICK_ROUNDS if options.quick else FULL_ROUNDS)
    where = machine.describe()
    try:
        results = measure(choose(options, DEFAULT_PEERS), rounds, ["quick"] if options.quick else [])
    except peers.PeerError as error:
        print(f"bench/run: {error}", file=sys.stderr)
        return 2
    for line in report.heading(where, results, rounds):
        print(line)
    for line in table(results):
        print(line)
    if options.json:
        options.json.write_text(document(where, results) + "\n", encoding="ascii")
    wrong = figures.disagreements(results)
    for name, by_peer in wrong:
        print(f"bench/run: {name}: the peers disagree: {by_peer}", file=sys.stderr)
    return 1 if wrong else 0
