"""Fronts: `qtd.design.pareto_front` against a genetic algorithm, NSGA-II, and random search.

    python benchmarks/design.py            (needs the extra `bench` for pymoo)

Cooling current against COP of a refrigerator of 11 spins whose rate equation must hold (validity at
most 0.1), over heights and widths of its filters, and over their centres too. Judged is the
hypervolume: the area of (current, COP) that is not better than some feasible design found, of which
1 is the rectangle of the best current and the best COP of qtd's front. Rivals are judged by all
that they have evaluated, qtd by the designs that it returns. An evaluation is one machine, with its
gradients or without; they are also counted with each gradient as one more evaluation per parameter.
Rivals evaluate whole populations in one compiled call. Compilation is apart, on one core.
"""

import argparse
import os
from unittest import mock

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import time

import jax
import jax.numpy as jnp
import numpy as np
import timing
from scipy.stats import qmc

import qtd
from qtd.design._descent import Descender
from qtd.design._landscape import MET, Landscape

ROLES = ("cold", "hot", "work")
VALIDITY = 0.1
STARTS, STEPS = 8, 100  # of qtd, its defaults
LESS = 0.99  # of qtd's hypervolume, which the others are to reach
BATCH = 4096  # of random search
MORE = 10  # times as many evaluations for random search, which is quick


def main():
    arguments = _arguments()
    timing.one_core()
    compare("six", six(), arguments)
    if not arguments.quick:
        compare("nine", nine(), arguments)


def compare(title, over, arguments):
    """All three codes on the problem with these parameters."""
    rounds = 1 if arguments.quick else arguments.rounds + 1
    runs = [gradient_front(over, arguments.points) for _ in range(rounds)]
    front, ours = runs[-1]
    seconds = float(np.median([log.seconds[-1] for _, log in runs[-arguments.rounds :]]))
    returned = np.stack([front.table[name].to_numpy() for name in ("J_cold", "COP", "validity")], 1)
    check(front, returned)
    evaluate, compile_genetic = evaluator(over, arguments.population)
    sampled, compile_random = evaluator(over, BATCH)
    seeds, most = range(arguments.seeds), arguments.evaluations
    rivals = {
        "NSGA-II": [genetic(evaluate, len(over), arguments.population, most, s) for s in seeds],
        "random": [random(sampled, len(over), MORE * most, s) for s in seeds],
    }
    compilation = runs[0][1].compilation
    print(
        f"\n{title} parameters; compilation: qtd {compilation:.1f} s, rivals"
        f" {compile_genetic:.1f} and {compile_random:.1f} s; medians of {arguments.seeds} seeds"
    )
    ideal = returned[:, :2].max(0)
    _table(returned, ours, (seconds, compilation), rivals, ideal, len(over))
    _curve(ours, rivals, ideal, most)


def _table(returned, ours, times, rivals, ideal, size):
    """What each code has reached when; `times` of qtd: seconds of its search, and of its
    compilation."""
    reached, done = hypervolume(returned, ideal), ours.done
    weighted = done + ours.gradients * size
    print(f"{'':<52} {'evaluations':>12} {'seconds':>9} {'hypervolume':>12}")
    _row(f"qtd, {len(returned)} designs returned", done, times[0], reached)
    _row("qtd, all that it looked at", done, times[0], ours.hypervolume(ideal, done))
    _row(f"qtd, a gradient as {size} evaluations more", weighted, times[0], reached)
    for name, logs in rivals.items():
        marks = {
            "as many evaluations": done,
            "as many, gradients counted": weighted,
            "10 times as many": 10 * done,
            "as much time": [log.evaluations_in(times[0]) for log in logs],
            "as much time, with qtd's compilation": [
                log.evaluations_in(sum(times)) for log in logs
            ],
            "all": [log.done for log in logs],
        }
        for words, counts in marks.items():
            _marked(f"{name}, {words}", logs, counts, ideal)
        _needed(name, logs, ideal, LESS * reached, done, weighted)


def _curve(ours, rivals, ideal, most):
    """Hypervolumes against the number of evaluations."""
    print(f"\n{'hypervolume after':>18} {'qtd':>9}" + "".join(f"{name:>9}" for name in rivals))
    for count in 1000 * 2 ** np.arange(int(np.log2(most / 1000)) + 1):
        mine = f"{ours.hypervolume(ideal, count):.4f}" if count <= ours.done else ""
        others = [np.median([log.hypervolume(ideal, count) for log in x]) for x in rivals.values()]
        print(f"{count:>18} {mine:>9}" + "".join(f"{other:9.4f}" for other in others))


def six():
    """Widths and heights of the three filters."""
    found = {}
    for role in ROLES:
        found[f"{role}.spectral_density.width"] = (1e-3, 1.0)
        found[f"{role}.spectral_density.height"] = (1e-7, 1.0)
    return found


def nine():
    """And their centres, within 25 %."""
    known = qtd.parameters(refrigerator())
    paths = [f"{role}.spectral_density.center" for role in ROLES]
    return six() | {path: (0.75 * float(known[path]), 1.25 * float(known[path])) for path in paths}


def refrigerator():
    """The machine that all begin with."""
    machine = qtd.machines.CollectiveRefrigerator(num_spins=11)
    return qtd.replace(machine, {"work.temperature": 5.0})


def figures(machine):
    """Cooling current, COP and validity."""
    point = machine.operate()
    return jnp.stack([point.heat_currents["cold"], point.cop, machine.validity()])


class Log:
    """What a search has evaluated: the `values` (current, COP, validity) that are known, how many
    `evaluations` were done, and how many seconds had passed, when each of them was known."""

    def __init__(self):
        self.done, self.gradients, self.compilation = 0, 0, 0.0
        self._blocks, self._marks = [], []
        self._begin = time.perf_counter()

    def add(self, values):
        """Some more machines, (machines, 3)."""
        self.done += len(values)
        seconds = time.perf_counter() - self._begin - self.compilation
        self._blocks.append(np.asarray(values))
        self._marks.append((len(values), self.done, seconds))

    def closed(self):
        """The log itself, with what it has gathered in arrays."""
        counts, evaluations, seconds = zip(*self._marks)
        self.values = np.concatenate(self._blocks)
        self.evaluations, self.seconds = np.repeat(evaluations, counts), np.repeat(seconds, counts)
        return self

    def hypervolume(self, ideal, evaluations):
        """That of the first so many evaluations."""
        known = int(np.searchsorted(self.evaluations, evaluations, side="right"))
        return hypervolume(self.values[:known], ideal)

    def evaluations_in(self, seconds):
        """How many evaluations were done by then; infinite if the search had ended before."""
        if seconds > self.seconds[-1]:
            return np.inf
        known = int(np.searchsorted(self.seconds, seconds, side="right"))
        return int(self.evaluations[known - 1]) if known else 0

    def evaluations_to(self, ideal, wanted):
        """How many evaluations a hypervolume took; infinite if it was not reached."""
        if self.hypervolume(ideal, self.done) < wanted:
            return np.inf
        low, high = 0, len(self.values)
        while high - low > 1:
            middle = (low + high) // 2
            is_there = self.hypervolume(ideal, self.evaluations[middle - 1]) >= wanted
            low, high = (low, middle) if is_there else (middle, high)
        return int(self.evaluations[high - 1])

    def seconds_to(self, evaluations):
        """When so many were done."""
        known = int(np.searchsorted(self.evaluations, evaluations))
        return float(self.seconds[min(known, len(self.seconds) - 1)])


def hypervolume(values, ideal):
    """The area that feasible (current, COP, validity) dominate, above (0, 0), over that which the
    `ideal` does."""
    met = (values[:, 2] <= VALIDITY * (1 + MET)) & (values[:, :2] > 0).all(1)
    current, cop = (values[met, :2] / ideal).T
    order = np.argsort(-current)
    best = np.maximum.accumulate(np.append(0.0, cop[order]))
    return float(current[order] @ np.diff(best))


def gradient_front(over, points):
    """qtd's front, and the log of its search: steps of the descents, and points that were not
    answered from memory."""
    log = Log()
    compiled, run, best = Landscape._compiled, Descender.run, Landscape.best
    warm = set()

    def counted(landscape, point):
        start = time.perf_counter()
        function = compiled(landscape, point)
        log.compilation += time.perf_counter() - start

        def evaluate(place):
            values, slopes = function(place)
            known = np.asarray(values)
            log.add([[float(term.value(known)) for term in landscape.terms]])
            log.gradients += 1
            return values, slopes

        return evaluate

    def chosen(landscape, candidates, count):
        found = best(landscape, candidates, count)
        log.done += len(candidates)
        return found

    def descended(descender, goal, search, progress=None):
        if descender not in warm:
            start = time.perf_counter()
            jax.block_until_ready(descender._block(search.states, goal, 0))
            log.compilation += time.perf_counter() - start
            warm.add(descender)
        found = run(descender, goal, search, progress)
        count = (found.done - search.done) * found.values.shape[1]
        log.done += count
        log.gradients += count
        return found

    objectives = {"J_cold": lambda m: m.operate().heat_currents["cold"], "COP": _cop}
    with (
        mock.patch.object(Landscape, "_compiled", counted),
        mock.patch.object(Landscape, "best", chosen),
        mock.patch.object(Descender, "run", descended),
    ):
        front = qtd.design.pareto_front(
            objectives,
            refrigerator(),
            over,
            {"validity": (lambda m: m.validity(), None, VALIDITY)},
            points=points,
            starts=STARTS,
            steps=STEPS,
        )
    # What the table tells of each design, and of the machine at the start, is evaluated once more.
    told = front.table.sizes["point"]
    log.add([[np.nan] * 3] * (told + 1))
    return front, log.closed()


def _cop(machine):
    return machine.operate().cop


def check(front, returned):
    """That the table tells what its machines do."""
    for i in (0, -1):
        expected = np.asarray(figures(front.machine(i)))
        assert np.allclose(returned[i], expected, rtol=1e-9), (returned[i], expected)


def evaluator(over, size):
    """Points of the unit cube -> (current, COP, validity), at most `size` of them together, on the
    same scales as qtd's; and the seconds that its compilation took."""
    machine = refrigerator()
    low, high = (jnp.array(side) for side in zip(*over.values()))
    is_logarithmic = low * 10 <= high

    def values(place):
        straight = low + place * (high - low)
        known = jnp.where(is_logarithmic, low * (high / low) ** place, straight)
        return figures(qtd.replace(machine, dict(zip(over, known))))

    start = time.perf_counter()
    empty = jnp.zeros((size, len(over)))
    together = jax.jit(jax.vmap(values)).lower(empty).compile()
    seconds = time.perf_counter() - start

    def evaluate(places):
        filled = np.zeros((size, len(over)))
        filled[: len(places)] = places
        return np.asarray(together(jnp.asarray(filled)))[: len(places)]

    evaluate(np.full((1, len(over)), 0.5))
    return evaluate, seconds


def genetic(evaluate, size, population, most, seed):
    """The log of NSGA-II of pymoo with its own operators and its own handling of constraints."""
    from pymoo.algorithms.moo.nsga2 import NSGA2
    from pymoo.core.problem import Problem

    log = Log()

    class Refrigerators(Problem):
        def __init__(self):
            super().__init__(n_var=size, n_obj=2, n_ieq_constr=1, xl=0.0, xu=1.0)

        def _evaluate(self, x, out, *args, **kwargs):
            values = evaluate(x)
            log.add(values)
            known = np.nan_to_num(values, nan=-1.0)  # no COP where nothing drives
            out["F"], out["G"] = -known[:, :2], values[:, 2:] / VALIDITY - 1

    algorithm = NSGA2(pop_size=population)
    algorithm.setup(Refrigerators(), termination=("n_eval", most), seed=seed, verbose=False)
    while algorithm.has_next():
        algorithm.next()
    return log.closed()


def random(evaluate, size, most, seed):
    """The log of evenly spread points (Sobol)."""
    log = Log()
    sequence = qmc.Sobol(size, seed=seed)  # pyright: ignore[reportCallIssue]
    while log.done < most:
        log.add(evaluate(sequence.random(BATCH)))
    return log.closed()


def _marked(words, logs, counts, ideal):
    counts = np.broadcast_to(counts, len(logs))
    done = [min(count, log.done) for count, log in zip(counts, logs)]
    seconds = [log.seconds_to(count) for count, log in zip(done, logs)]
    volumes = [log.hypervolume(ideal, count) for count, log in zip(done, logs)]
    note = " (at most)" if (counts > done).any() else ""
    _row(words + note, int(np.median(done)), np.median(seconds), np.median(volumes), volumes)


def _needed(name, logs, ideal, wanted, ours, weighted):
    """How many evaluations a hypervolume takes."""
    needed = [log.evaluations_to(ideal, wanted) for log in logs]
    median = float(np.median(needed))
    words = f"{name}, to {wanted:.4f}, qtd's less 1 %"
    if not np.isfinite(median):
        print(f"{words:<52} {'not reached':>12}  (seeds: {needed})")
        return
    seconds = np.median([log.seconds_to(x) for x, log in zip(needed, logs) if np.isfinite(x)])
    print(
        f"{words:<52} {int(median):>12} {seconds:>9.1f}   {median / ours:.2f} times qtd's,"
        f" {median / weighted:.2f} with gradients counted (seeds: {needed})"
    )


def _row(words, evaluations, seconds, volume, volumes=()):
    spread = f"  ({min(volumes):.4f} to {max(volumes):.4f})" if len(volumes) > 1 else ""
    print(f"{words:<52} {evaluations:>12} {seconds:>9.1f} {volume:>12.4f}{spread}")


def _arguments():
    parser = argparse.ArgumentParser(description="Fronts: qtd against NSGA-II and random search.")
    parser.add_argument("--points", type=int, default=24, help="of the front that qtd is asked for")
    parser.add_argument(
        "--population", type=int, default=200, help="of NSGA-II; 100 and 40 do worse"
    )
    parser.add_argument("--evaluations", type=int, default=300_000, help="that rivals may take")
    parser.add_argument("--seeds", type=int, default=3, help="of the rivals")
    parser.add_argument("--rounds", type=int, default=1, help="of qtd, after a first")
    parser.add_argument("--quick", action="store_true", help="a minute, for a look")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.points, arguments.evaluations = 5, 20_000
        arguments.seeds, arguments.rounds = 1, 1
    return arguments


if __name__ == "__main__":
    main()
