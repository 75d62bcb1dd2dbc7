# SPDX-License-Identifier: MIT
# Copyright (c) 2026 The RingOne authors
"""bench/run --ablation: what each optimization is worth: everything with it switched off, as a ratio to all switched on."""
import dataclasses
import json
import pathlib
import statistics
import sys

import interleaved
import linux_peers
import machine
import nano_bench
import peers
import report
import statistics_of_runs as figures

BASE = "ringone"
QUICK_ROUNDS, FULL_ROUNDS = 2, 3
SAMPLES = 3
ALL = "all"
BOOT_LIMIT_SECONDS = 30


def group_means(results, peer):
    """Geometric means of the ratios to the base, by group."""
    base = results[BASE]
    return {group: figures.geometric_mean([figures.ratio(base, results[peer], name).value for name in names])
            for group, names in figures.groups(base).items()}


def most(results, peer):
    """The item that the switch changes most, and its ratio."""
    ratios = {name: figures.ratio(results[BASE], results[peer], name).value for name in results[BASE][0].items}
    name = max(ratios, key=lambda item: max(ratios[item], 1 / ratios[item]))
    return f"{name} {ratios[name]:.2f}"


def table(results, last=None):
    """Markdown: switches down, groups across; `last`: a heading and a cell for each peer."""
    groups = list(figures.groups(results[BASE]))
    heading, cells = last or ("", {})
    yield "| without | " + " | ".join([*groups, *([heading] if last else []), "most"]) + " |"
    yield "|---|" + "---:|" * (len(groups) + (1 if last else 0)) + "---|"
    for peer in results:
        if peer == BASE:
            continue
        means = group_means(results, peer)
        row = [f"{means[group]:.2f}" for group in groups] + ([cells[peer]] if last else [])
        yield f"| {peer.removeprefix(BASE + ' -')} | " + " | ".join([*row, most(results, peer)]) + " |"


def boot(build, variants, rounds):
    """Seconds from the start to the shell, by peer; None for one that is too slow, which is not tried again."""
    seconds = {name: [] for name in variants}
    with linux_peers.workspace() as folder:
        guest, = linux_peers.make([BASE], build, pathlib.Path(folder))
        for _ in range(rounds):
            for name, without in variants.items():
                if seconds[name] is None:
                    continue
                switches = ["--without", ",".join(without)] if without else []
                wall = dataclasses.replace(guest, machine=[*guest.machine, *switches]).boot_seconds(BOOT_LIMIT_SECONDS)
                seconds[name] = None if wall is None else [*seconds[name], wall]
    if seconds[BASE] is None:
        raise peers.PeerError(f"{BASE}: no shell after {BOOT_LIMIT_SECONDS} s")
    return seconds


def boot_cells(seconds):
    """Ratios of medians."""
    base = statistics.median(seconds[BASE])
    return {name: f"> {BOOT_LIMIT_SECONDS / base:.0f}" if walls is None else f"{statistics.median(walls) / base:.2f}"
            for name, walls in seconds.items()}


def main(options):
    """0: measured. 1: the peers computed different results. 2: a peer that does not run."""
    rounds = options.rounds or (QUICK_ROUNDS if options.quick else FULL_ROUNDS)
    where = machine.describe()
    words = [f"samples={SAMPLES}"]
    try:
        names = options.without or [*peers.switches(options.build), ALL]
        variants = {BASE: []} | {f"{BASE} -{name}": [name] for name in names}
        chosen = [peers.ringone(options.build, without) for without in variants.values()]
        wanted = words + ([f"items={options.items}"] if options.items else [])
        computed = interleaved.measure(chosen, words, interleaved.item_names(chosen[0], wanted), rounds)
        single = nano_bench.measure([peers.ringone(options.build, w, peers.NANO) for w in variants.values()], rounds,
                                    ["quick"])
        seconds = boot(options.build, variants, rounds)
    except peers.PeerError as error:
        print(f"bench/run: {error}", file=sys.stderr)
        return 2
    for line in (*report.heading(where, computed, rounds), "Computations, and a boot to the shell:", "",
                 *table(computed, ("boot", boot_cells(seconds))), "", "Single operations:", "", *table(single)):
        print(line)
    if options.json:
        options.json.write_text(json.dumps({
            "machine": where, "boot_seconds": seconds,
            "group_means": {peer: {"computations": group_means(computed, peer), "operations": group_means(single, peer)}
                            for peer in variants if peer != BASE}}, indent=1) + "\n", encoding="ascii")
    wrong = figures.disagreements(computed) + figures.disagreements(single)
    for name, by_peer in wrong:
        print(f"bench/run: {name}: the peers disagree: {by_peer}", file=sys.stderr)
    return 1 if wrong else 0
