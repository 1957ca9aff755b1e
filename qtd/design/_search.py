"""The search for one optimum."""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array

from ..observables import Observable
from ..parameters import parameters
from ._certificate import active_limits, certified, is_settled
from ._descent import Descender, Search
from ._landscape import MET, Bounds, Constraints, Goal, Landscape, initial_points, place_of
from ._polish import polished_ends
from ._problem import check, stated
from ._progress import Progress
from ._results import Optimum, doubt
from ._workshop import Measure, Tolerance, robustness, workshop_of


def maximize(
    objective: Observable,
    machine: Any,
    over: Bounds,
    subject_to: Constraints | None = None,
    *,
    starts: int = 32,
    steps: int = 300,
    optimizer: optax.GradientTransformation | None = None,
    progress: bool = False,
    seed: int = 0,
    tolerance: Tolerance | None = None,
    measure: Measure = "worst",
    draws: int = 64,
    resume: Optimum | str | Path | None = None,
) -> Optimum:
    """Maximise a differentiable scalar of a machine over some of its parameters.

    - `objective`: machine -> scalar, such as `lambda m: m.operate().heat_currents["cold"]`.
      `machine`: any PyTree of parameters.
    - `over`: `{path: (low, high)}`, paths as in `qtd.parameters`. Parameters move on a smooth
      bijection of the open interval (logarithmic where both bounds are positive and a decade
      apart), so that no step leaves it.
    - `subject_to`: `{name: (function, low, high)}` with None for no limit; met by an augmented
      Lagrangian. Such as `{"validity": (lambda m: m.validity(), None, 0.1)}`, which keeps a design
      where its rate equation holds. A limit on the largest, or the smallest, of several numbers is
      a limit on each of them; so is an objective that is the smallest of several.
    - `starts`: the machine as given, moved inside the bounds, points that fill these evenly (Sobol,
      `seed`), and, for the other half, the best of 64 times as many of them. All take `steps` steps
      of `optimizer` (default: Adam with a decaying step) under one `vmap`; those that end best are
      then polished by sequential quadratic programming, which tells an optimum from a standstill
      and finds the bounds and constraints that hold it.
    - `tolerance`: `{path: sigma}`, standard deviations of normal errors that a workshop makes in
      these parameters: relative, or absolute as `(sigma, "absolute")`. What is maximised, and what
      the constraints are about, is then the `measure` over `draws` machines, the same at every step
      (Sobol): "worst", "mean", "mean-2sigma" (mean less two standard deviations) or a quantile such
      as 0.05; of what is limited from above, and of what is minimised, on the upper side. The
      nominal problem is solved first, and `robustness` compares both designs over fresh machines.
    - `progress`: show a bar on stderr with the time that is left, or a line a minute where that is
      no terminal.
    - `resume`: an interrupted optimum of the same problem, or a file of `keep_search`, whose search
      goes on.

    A start whose objective is not finite stays where it is and spoils no other. Interrupted by
    Ctrl-C, it returns the best so far. Raises `ValueError` for unknown paths, bounds that are not
    finite, the wrong way round or outside a parameter's domain, functions that do not return one
    number, and an objective that is finite nowhere. Constraints that no start can meet do not
    raise: the result has `feasible` false, says so, and holds the least bad design.

    How bold an N-demon should be, if power and COP are to be large together:

    >>> demon = qtd.replace(qtd.machines.NDemon(), {"cold.temperature": 0.5})
    >>> merit = lambda demon: demon.operate().cop * demon.operate().heat_currents["cold"]
    >>> best = qtd.design.maximize(merit, demon, over={"boldness": (0.1, 6.0)}, starts=4, steps=40)
    >>> print(f"{best.parameters['boldness']:.3f} {best.machine.operate().cop:.4f}")
    2.339 0.0908
    >>> print(best.message)
    converged to a strict maximum, reached by 4 of 4 starts
    """
    settings = {"starts": starts, "steps": steps, "seed": seed, "progress": progress}
    return _sought(
        1.0, objective, machine, over, subject_to, optimizer, tolerance, measure, draws, resume,
        **settings,
    )  # fmt: skip


def minimize(
    objective: Observable,
    machine: Any,
    over: Bounds,
    subject_to: Constraints | None = None,
    *,
    starts: int = 32,
    steps: int = 300,
    optimizer: optax.GradientTransformation | None = None,
    progress: bool = False,
    seed: int = 0,
    tolerance: Tolerance | None = None,
    measure: Measure = "worst",
    draws: int = 64,
    resume: Optimum | str | Path | None = None,
) -> Optimum:
    """Minimise a differentiable scalar of a machine over some of its parameters: `objective`,
    `machine`, `over`, `subject_to`, `starts`, `steps`, `optimizer`, `progress`, `seed`,
    `tolerance`, `measure`, `draws` and `resume` as in `maximize`.

    The boldness at which a demon that cools by at least 3e-4 produces least entropy:

    >>> cooling = lambda demon: demon.operate().heat_currents["cold"]
    >>> best = qtd.design.minimize(
    ...     lambda demon: demon.operate().entropy_production,
    ...     qtd.machines.NDemon(),
    ...     over={"boldness": (0.1, 3.0)},
    ...     subject_to={"J_cold": (cooling, 3e-4, None)},
    ...     starts=2,
    ...     steps=40,
    ... )
    >>> print(f"{best.parameters['boldness']:.4f}", best.active_constraints)
    0.6775 ('J_cold',)
    """
    settings = {"starts": starts, "steps": steps, "seed": seed, "progress": progress}
    return _sought(
        -1.0, objective, machine, over, subject_to, optimizer, tolerance, measure, draws, resume,
        **settings,
    )  # fmt: skip


def _sought(
    sign, objective, machine, over, subject_to, optimizer, tolerance, measure, draws, resume,
    *, starts, steps, seed, progress,
):  # fmt: skip
    """The largest objective (`sign` 1) or the smallest one (-1)."""
    over, subject_to = dict(over), dict(subject_to or {})
    check(machine, over, subject_to, {"starts": starts, "steps": steps})
    over, subject_to = stated(over, subject_to)
    optimizer = optimizer or optax.adam(optax.cosine_decay_schedule(0.2, steps, alpha=0.02))

    def searched(landscape, points, resume):
        return _searched(landscape, points, optimizer, steps, progress, sign, resume)

    asked = [("objective", objective, sign)]
    landscape = Landscape(asked, machine, over, subject_to)
    points = initial_points(landscape, starts, seed)
    if tolerance is None:
        return searched(landscape, points, resume)
    workshop = workshop_of(machine, tolerance, measure, draws, seed)
    # An interrupted search may be that of the nominal problem, or the one that follows.
    is_nominal = resume is not None and _asked_of(resume) == landscape.asked(starts)
    nominal = searched(landscape, points, resume if is_nominal else None)
    if nominal.interrupted:
        return nominal
    place = place_of({path: float(x) for path, x in nominal.parameters.items()}, over)
    inside = jnp.asarray(np.clip(place, 1e-3, 1 - 1e-3), points.dtype)
    rough = Landscape(asked, machine, over, subject_to, workshop)
    found = searched(rough, points.at[0].set(inside), None if is_nominal else resume)
    if found.interrupted:
        return found
    compared = robustness(objective, found.machine, nominal.machine, workshop, sign, seed)
    return dataclasses.replace(found, robustness=compared)


def _searched(landscape, points, optimizer, steps, progress, sign, resume) -> Optimum:
    goal = landscape.goal(np.stack([landscape.at(point)[0] for point in points]))
    descender = Descender(landscape, optimizer, steps)
    search = descender.begun(points)
    search = search if resume is None else _resumed(resume, search)
    with Progress(steps, "design", progress, search.done) as bar:
        search = descender.run(goal, search, bar)
    try:
        if search.done < steps:
            raise KeyboardInterrupt
        ends = polished_ends(landscape, goal, search.ends())
    except KeyboardInterrupt:
        return _unfinished(landscape, goal, search, steps, sign)
    return optimum_at(landscape, goal, ends, search, sign)


def keep_search(optimum: Optimum, path: str | Path) -> None:
    """Write where the search of an `optimum` is to a file at `path`, from which `resume` goes
    on."""
    search = optimum.search
    leaves = {f"state_{i}": np.asarray(x) for i, x in enumerate(jax.tree.leaves(search.states))}
    leaves["values"], leaves["violations"] = search.values, search.violations
    leaves["asked"] = np.array(search.asked)
    with open(path, "wb") as file:
        np.savez(file, **leaves)  # pyright: ignore[reportArgumentType]


def _resumed(resume: Optimum | str | Path, begun: Search) -> Search:
    """The search of an interrupted optimum, if it is one of the problem that was `begun`."""
    asked = _asked_of(resume)
    if asked != begun.asked:
        raise ValueError(
            "`resume` must be a search for the same problem with as many starts; it is one for"
            f" {asked}."
        )
    if isinstance(resume, Optimum):
        return resume.search
    leaves, structure = jax.tree.flatten(begun.states)
    with np.load(resume) as kept:
        states = [jnp.asarray(kept[f"state_{i}"]) for i in range(len(leaves))]
        states = jax.tree.unflatten(structure, states)
        return Search(states, kept["values"], kept["violations"], asked)


def _asked_of(resume):
    """What a search, or the one that was kept in a file, is about."""
    if isinstance(resume, Optimum):
        return resume.search.asked
    if not Path(resume).is_file():
        raise ValueError(f"`resume` names the file {str(resume)!r}, which does not exist.")
    with np.load(resume) as kept:
        return str(kept["asked"])


def optimum_at(
    landscape: Landscape, goal: Goal, ends: list[Array], search: Search, sign: float
) -> Optimum:
    """What is said of the best of the points where the starts of a search ended."""
    point = ends[0]
    found = certified(landscape, goal, ends, search.values.shape[1], sign)
    feasible, settled = _verdict(landscape, goal, point)
    if not feasible:
        message = _why_not(landscape, goal, point, search.values.shape[1])
    elif settled:
        message = f"converged to {_kind_in_words(found)}, reached by"
        message += f" {found.reached_by} of {found.starts} starts"
        if found.others is not None:
            message += f" (the others' best: {found.others:.6g})"
    else:
        workshop = landscape.workshop
        has_kinks = workshop is not None and not isinstance(workshop.measure, str)
        advice = (
            "a quantile of a sample has kinks, at which no slope vanishes"
            if has_kinks
            else "take more steps or starts"
        )
        message = f"not converged: a relative slope of {found.gradient_norm:.1e} is left; {advice}"
    message += doubt(landscape.machine_at(point))
    return _optimum(landscape, goal, point, search, sign, message, found)


def _unfinished(landscape, goal, search, steps, sign):
    """The best so far of a search that a person interrupted."""
    message = (
        f"interrupted after {search.done} of {steps} steps: the best so far;"
        " `resume` goes on from here"
    )
    point = search.ends()[0]
    found = _optimum(landscape, goal, point, search, sign, message, None)
    return dataclasses.replace(found, converged=False, interrupted=True)


def _optimum(landscape, goal, point, search, sign, message, certificate):
    values = landscape.at(point)[0]
    feasible, settled = _verdict(landscape, goal, point)
    active = active_limits(landscape, goal, point)
    sides = {
        path: "lower" if low else "upper"
        for path, low, high in zip(landscape.over, *landscape.walls(point))
        if low or high
    }
    count = len(landscape.objectives)
    machine = landscape.machine_at(point)
    known = parameters(machine, landscape.over)
    return Optimum(
        machine=machine,
        start=landscape.machine,
        value=landscape.objectives[0].value(values),
        parameters={path: known[path] for path in landscape.over},
        bounds=dict(landscape.over),
        active_bounds=sides,
        # The upper side where there are two, of which each is the number itself but in workshops.
        constraints={term.name: term.value(values) for term in landscape.terms[count:]},
        active_constraints=tuple(name for name in landscape.names if name in active),
        certificate=certificate,
        robustness=None,
        history=search.history(sign),
        feasible=feasible,
        converged=feasible and settled,
        is_largest=sign > 0,
        interrupted=False,
        message=message,
        search=search,
    )


def _verdict(landscape, goal, point):
    """Whether all limits are met, and whether the point is an optimum to first order."""
    values = landscape.at(point)[0]
    feasible = bool(landscape.violations(values, goal).max() <= MET)
    return feasible, is_settled(landscape, goal, point)


def _kind_in_words(certificate):
    if certificate.kind == "unknown":
        return "an optimum next to where there are no numbers"
    if certificate.kind == "vertex":
        return "an optimum that bounds and constraints hold on every side"
    if certificate.kind == "flat":
        along = ", ".join(certificate.flat_along) or "a direction of several parameters"
        return f"an optimum that is flat along {along}"
    return f"a {certificate.kind}"


def _why_not(landscape, goal, point, starts):
    """The limit that is exceeded most where it is exceeded least, in words."""
    values = landscape.at(point)[0]
    worst = [float(excess.max()) for excess in landscape.excesses(values, goal)]
    k = int(np.argmax(worst))
    limit = landscape.limits[k]
    side = "at least" if limit.sign < 0 else "at most"
    nearest = f"{float(limit.term.value(values)):.6g} was reached"
    return (
        f"the constraint {limit.term.name!r} was met from none of {starts} starts: {nearest},"
        f" {side} {limit.bound:g} is asked"
    )
