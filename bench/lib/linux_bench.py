# SPDX-License-Identifier: MIT
# Copyright (c) 2026 The RingOne authors
"""bench/run --linux: what a process of Linux sees, natively, in RingOne and in TCG."""
import dataclasses
import json
import pathlib
import statistics
import sys

import linux_peers
import machine
import peers
import statistics_of_runs as figures

DEFAULT_PEERS = "native,ringone,ringone-pae,tcg"
QUICK_ROUNDS, FULL_ROUNDS = 2, 5
QUICK_SAMPLE_MS, FULL_SAMPLE_MS, SAMPLES = 25, 50, 4
# Ratios to native that issue 3 asks for.
TARGETS = {"compute": 1.2, "getppid_vdso": 2.5}
OURS, PEER = "ringone", "tcg"
COUNTER_GROUPS_LEFT_OUT = ("devices",)


def tsc_frequency(build):
    """Hz, by the host's clock."""
    return int(linux_peers.Native(build).program(["tsc", "list"])[1][0][1])


def measure(chosen, words, rounds):
    """All items in every peer, once a round, each round beginning with another peer; and one boot to the shell."""
    results = {peer.name: [] for peer in chosen}
    boots = {peer.name: [] for peer in chosen if isinstance(peer, linux_peers.Guest)}
    for number in range(rounds):
        shift = number % len(chosen)
        for peer in chosen[shift:] + chosen[:shift]:
            items, _, wall = peer.program(words)
            results[peer.name].append(peers.RunResult(items, {}, wall))
            if peer.name in boots:
                wall = peer.boot_seconds()
                if wall is None:
                    raise peers.PeerError(f"{peer.name}: no shell")
                boots[peer.name].append(wall)
    return results, boots


def ratio_of(base_runs, peer_runs, name):
    """None where one of the two could not run the item."""
    if name not in base_runs[0].items or name not in peer_runs[0].items:
        return None
    return figures.ratio(base_runs, peer_runs, name)


def cell(ratio):
    """A ratio with its quartiles."""
    return "-" if ratio is None else f"{ratio.value:.2f} [{ratio.low:.2f}-{ratio.high:.2f}]"


def time_text(runs, name, frequency):
    """The best time of an operation."""
    if name not in runs[0].items:
        return "n/a"
    ns = figures.best(runs, name) * 1e9 / frequency
    return f"{ns:.0f} ns" if ns < 10000 else f"{ns / 1000:.1f} us" if ns < 10e6 else f"{ns / 1e6:.1f} ms"


def columns(results):
    """Ratios to print: (heading, base peer, peer)."""
    if figures.BASE in results:
        yield from ((f"{name}/native", figures.BASE, name) for name in results if name != figures.BASE)
    if PEER in results:
        yield from ((f"{name}/tcg", PEER, name) for name in results if name.startswith(OURS))


def table(results, boots, frequency):
    """Markdown: items, a geometric mean after each group, and the boots."""
    ratios = list(columns(results))
    yield "| item | " + " | ".join([*results, *(heading for heading, _, _ in ratios)]) + " | target |"
    yield "|---|" + "---:|" * (len(results) + len(ratios)) + "---|"
    everything = {name: item.group for runs in results.values() for name, item in runs[0].items.items()}
    for group in dict.fromkeys(everything.values()):
        names = [name for name, of in everything.items() if of == group]
        for name in names:
            cells = [time_text(runs, name, frequency) for runs in results.values()]
            cells += [cell(ratio_of(results[base], results[peer], name)) for _, base, peer in ratios]
            yield f"| {name} | " + " | ".join([*cells, verdict(results, group, name)]) + " |"
        means = []
        for _, base, peer in ratios:
            known = [ratio for name in names if (ratio := ratio_of(results[base], results[peer], name))]
            means.append(f"**{figures.geometric_mean([r.value for r in known]):.2f}**" if known else "-")
        yield f"| **mean {group}** | " + " | ".join([*[""] * len(results), *means, ""]) + " |"
    if boots:
        medians = {name: statistics.median(walls) for name, walls in boots.items()}
        cells = [f"{medians[name]:.2f} s" if name in medians else "" for name in results]
        cells += [f"{medians[peer] / medians[base]:.2f}" if base in medians and peer in medians else "-"
                  for _, base, peer in ratios]
        yield "| boot to shell | " + " | ".join([*cells, ""]) + " |"


def verdict(results, group, name):
    """Has RingOne met what issue 3 asks for?"""
    target = TARGETS.get(name, TARGETS.get(group))
    if target is None or figures.BASE not in results or OURS not in results:
        return ""
    ratio = ratio_of(results[figures.BASE], results[OURS], name)
    return "" if ratio is None else f"{'met' if ratio.value <= target else 'MISSED'} (<= {target})"


def flat(document):
    """--stats-json by (group, name)."""
    return {(group, name): value for group, members in document.items() for name, value in members.items()
            if group not in COUNTER_GROUPS_LEFT_OUT}


def counters(peer, words, folder):
    """The monitor's counters an operation: the difference of two boots, one that runs the item once and one that runs
    it as often as takes the time of four samples."""
    file = pathlib.Path(folder) / "counters.json"
    calibrated = peer.program(words)[0]
    for name, item in calibrated.items():
        seen, count = [], 4 * item.units
        for n in (1, 1 + count):
            peer.program([f"only={name}", f"count={n}"], ["--stats-json", str(file)])
            seen.append(flat(json.loads(file.read_text(encoding="utf-8"))))
        each = {key: (value - seen[0].get(key, 0)) / count for key, value in seen[1].items()}
        yield name, count, {key: value for key, value in each.items() if abs(value) >= 0.01}


def print_counters(peer, words, folder):
    """One block an item."""
    for name, count, each in counters(peer, words, folder):
        print(f"{name}: {count} operations, an operation:")
        group = None
        for (of, counter), value in each.items():
            if of != group:
                print(f"  {of}:")
                group = of
            print(f"    {counter:<40} {value:12.2f}")


def document(where, results, boots, frequency):
    """All there is, for machines."""
    return json.dumps({"machine": where, "tsc_hz": frequency, "boot_seconds": boots, "peers": {
        name: [{item: dataclasses.asdict(result) for item, result in run.items.items()} for run in runs]
        for name, runs in results.items()}}, indent=1)


def main(options):
    """0: measured. 1: the peers computed different results. 2: a peer that does not run."""
    rounds = options.rounds or (QUICK_ROUNDS if options.quick else FULL_ROUNDS)
    try:
        with linux_peers.workspace() as folder:
            frequency = tsc_frequency(options.build)
            sample = frequency * (QUICK_SAMPLE_MS if options.quick else FULL_SAMPLE_MS) // 1000
            words = [f"samples={SAMPLES}", f"sample={sample}"]
            if options.items:
                words.append(f"items={options.items}")
            names = (options.against or (OURS if options.counters else DEFAULT_PEERS)).split(",")
            chosen = linux_peers.make(names, options.build, pathlib.Path(folder))
            where = machine.describe()
            if options.counters:
                for peer in chosen:
                    if not peer.name.startswith(OURS):
                        raise peers.PeerError(f"{peer.name} has no counters")
                    print_counters(peer, words, folder)
                return 0
            results, boots = measure(chosen, words, rounds)
    except peers.PeerError as error:
        print(f"bench/run: {error}", file=sys.stderr)
        return 2
    for key, value in where.items():
        print(f"{key:<9} {value}")
    for name, runs in results.items():
        median, worst = figures.noise(runs)
        print(f"noise     {name}: minima of {rounds} rounds lie {median * 100:.1f} % apart (median item), "
              f"{worst * 100:.1f} % (worst)")
    print("ratios    the median over the rounds of least cycles over least cycles; in brackets the middle half\n")
    for line in table(results, boots, frequency):
        print(line)
    if options.json:
        options.json.write_text(document(where, results, boots, frequency) + "\n", encoding="ascii")
    wrong = figures.disagreements(results)
    for name, by_peer in wrong:
        print(f"bench/run: {name}: the peers disagree: {by_peer}", file=sys.stderr)
    return 1 if wrong else 0
