# SPDX-License-Identifier: MIT
# Copyright (c) 2026 The RingOne authors
"""The table for people and the JSON for machines."""
import dataclasses
import json

import statistics_of_runs as figures

# What the project has set itself, as ratios to native (and cycles a translated instruction).
TARGETS = {"identical": 1.05, "sort": 1.3, "calls": 2.0, "indirect": 2.5}
TARGET_TRANSLATION_CYCLES = 2300
TRANSLATION_GROUP = "translation"
OURS = "ringone"


def ratio_cell(ratio):
    """A ratio with the spread of the rounds."""
    return f"{ratio.value:7.2f} [{ratio.low:.2f}-{ratio.high:.2f}]"


def verdict(group, value):
    """Has the target been met?"""
    if group not in TARGETS:
        return ""
    return f"{'met' if value <= TARGETS[group] else 'MISSED'} (<= {TARGETS[group]})"


def table(results):
    """Items down, peers across; a geometric mean after each group."""
    others = [peer for peer in results if peer != figures.BASE]
    base = results.get(figures.BASE)
    width = 24
    yield f"{'item':<18}{'native cycles':>14}" + "".join(f"{peer:>{width}}" for peer in others) + "  target"
    some = base or results[others[0]]
    for group, names in figures.groups(some).items():
        for name in names:
            row = f"{name:<18}{figures.best(base, name) if base else '-':>14}"
            for peer in others:
                row += f"{ratio_cell(figures.ratio(base, results[peer], name)) if base else figures.best(results[peer], name):>{width}}"
            if base and OURS in results:
                row += "  " + verdict(group, figures.ratio(base, results[OURS], name).value)
            yield row.rstrip()
        if base and len(names) > 1:
            means = [figures.geometric_mean([figures.ratio(base, results[p], n).value for n in names]) for p in others]
            yield f"{'  mean ' + group:<32}" + "".join(f"{mean:7.2f}".ljust(19).rjust(width) for mean in means)
    yield ""
    yield from cold_code(results)


def cold_code(results):
    """Cycles a guest instruction of code that runs once."""
    for peer, runs in results.items():
        for name, item in runs[0].items.items():
            if item.group == TRANSLATION_GROUP:
                yield f"{peer}: {name}: {figures.best(runs, name) / item.units:.0f} cycles an instruction that runs once"
        cycles = translation_cycles(runs)
        if cycles is not None:
            met = "met" if cycles <= TARGET_TRANSLATION_CYCLES else "MISSED"
            yield f"{peer}: translator: {cycles:.0f} cycles an instruction translated, {met} (<= {TARGET_TRANSLATION_CYCLES})"


def translation_cycles(runs):
    """The monitor's own figure, from the best run of cold code; None where a peer counts nothing."""
    counted = [counters["run"]["translation cycles"] / counters["translations"]["guest instructions"] for run in runs
               for name, counters in run.counters.items() if run.items[name].group == TRANSLATION_GROUP]
    return min(counted) if counted else None


def heading(machine, results, rounds):
    """Where and how: what a reader needs to judge the figures."""
    for key, value in machine.items():
        yield f"{key:<9} {value}"
    for peer, runs in results.items():
        median, worst = figures.noise(runs)
        yield (f"noise     {peer}: minima of {rounds} rounds lie {median * 100:.1f} % apart (median item), "
               f"{worst * 100:.1f} % (worst)")
    yield "ratios    the median over the rounds of a peer's least cycles over the other's; in brackets the middle half"
    yield ""


def document(machine, results):
    """All there is, for machines."""
    base = results.get(figures.BASE)
    peers = {}
    for peer, runs in results.items():
        items = {}
        for name, item in runs[0].items.items():
            items[name] = {"group": item.group, "units": item.units, "checksum": item.checksum,
                           "best_cycles": figures.best(runs, name), "samples": [run.items[name].samples for run in runs]}
            if base and peer != figures.BASE:
                items[name]["ratio"] = dataclasses.asdict(figures.ratio(base, runs, name))
        peers[peer] = {"items": items, "counters": runs[-1].counters, "wall_seconds": [run.wall_seconds for run in runs],
                       "noise": figures.noise(runs), "translation_cycles_an_instruction": translation_cycles(runs)}
    return json.dumps({"machine": machine, "peers": peers}, indent=1)
