"""Reference designs: stated problems, solved once from many starts, and kept."""

import functools
import json
from collections.abc import Callable, Mapping
from importlib import resources
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from ..machines import CollectiveRefrigerator, FiniteReservoirs, NDemon, QuantumMotor
from ..machines import QubitRefrigerator as Qubits
from ..machines import ResonatorRefrigerator as Resonators
from ..networks import RateNetwork
from ..observables import Observable, observables, operating_point
from ..parameters import parameters, replace
from ..reservoirs import Reservoir
from ..scattering import Conductor
from ..spectral import WideBand
from ..transmissions import Boxcar
from ._problem import Problem, problem
from ._search import maximize, minimize

__all__ = ["ReferenceDesign", "reference", "references"]

_FOLDER = "references"
_VALID = {"validity": (None, 0.1)}


class ReferenceDesign(NamedTuple):
    """A design that others can be measured by.

    `statement`: the problem in words; `problem`: in the terms of `maximize`; `machine`: the design;
    `parameters`: its own, by path; `values`: what was kept of its observables, `paper` of the
    machine that it began with; `certificate`: as `Certificate.record`; `version` of qtd that found
    it.
    """

    statement: str
    problem: Problem
    machine: Any
    parameters: dict[str, float]
    values: dict[str, float]
    paper: dict[str, float]
    certificate: dict[str, Any]
    version: str

    def recomputed(self) -> dict[str, float]:
        """The kept `values`, computed again from the kept parameters."""
        return values_of(self.problem, self.machine)


class _Stated(NamedTuple):
    """A problem in words, how it is built, and what is tied in the designs that it is about."""

    statement: str
    build: Callable[[], Problem]
    tied: Callable[[Any], Any] = lambda machine: machine


def references() -> dict[str, dict[str, str]]:
    """All reference designs: what each is, in words, by what it is of and by name."""
    return {
        device: {name: each.statement for name, each in stated.items()}
        for device, stated in _STATED.items()
    }


def reference(device: str) -> dict[str, ReferenceDesign]:
    """The reference designs of a `device`, a machine by its name in the command, such as
    "collective-refrigerator", or one of "conductor", "dot-engine", "harvester"; by their names.
    `ValueError` if there are none."""
    if device not in _STATED:
        raise ValueError(
            f"`device` must be one of {', '.join(_STATED)}, which have reference designs, got"
            f" {device!r}."
        )
    return {name: _kept(device, name, stated) for name, stated in _STATED[device].items()}


def solved(device: str, name: str, starts: int = 64, steps: int = 300) -> dict[str, Any]:
    """The record of a reference design, sought again from so many `starts`."""
    import qtd

    stated = _STATED[device][name]
    asked = stated.build()
    search = maximize if asked.is_largest else minimize
    best = search(
        asked.objective, asked.machine, asked.over, asked.subject_to, starts=starts, steps=steps
    )
    if not best.converged or best.certificate is None:
        raise ValueError(f"the reference design {name!r} of {device!r}: {best.message}.")
    return {
        "parameters": {path: float(value) for path, value in best.parameters.items()},
        "values": values_of(asked, stated.tied(best.machine)),
        "paper": values_of(asked, asked.machine),
        "certificate": best.certificate.record(),
        "version": qtd.__version__,
    }


def values_of(asked: Problem, machine: Any) -> dict[str, float]:
    """The objective, the constraints, the validity and the status of a machine."""
    named = {asked.objective_name: asked.objective}
    named |= {name: function for name, (function, _, _) in asked.subject_to.items()}
    found = {name: float(function(machine)) for name, function in named.items()}
    point = operating_point(machine)
    return found | {"validity": float(point.validity), "status": float(point.status)}


def _kept(device, name, stated):
    record = _records(device)[name]
    asked = stated.build()
    known = parameters(asked.machine, record["parameters"])
    changes = {
        path: np.asarray(value, known[path].dtype) for path, value in record["parameters"].items()
    }
    return ReferenceDesign(
        stated.statement,
        asked,
        stated.tied(replace(asked.machine, changes)),
        record["parameters"],
        record["values"],
        record["paper"],
        record["certificate"],
        record["version"],
    )


@functools.cache
def _records(device):
    file = resources.files("qtd.design") / _FOLDER / f"{device}.json"
    return json.loads(file.read_text(encoding="utf-8"))


def _asked(
    machine: Any,
    objective: str,
    over: dict[str, tuple[float, float]],
    limits: Mapping[str, tuple[float | None, float | None]],
    own: Mapping[str, Observable] | None = None,
    **how: Any,
) -> Problem:
    """A problem by names of observables, or of functions of one's `own`."""
    known = {**observables(machine), **(own or {})}
    constraints = {name: (known[name], *limit) for name, limit in limits.items()}
    return Problem(objective, known[objective], machine, over, constraints, **how)


def _collective(limits):
    """Centres within a quarter, three decades of widths and eight of heights."""
    machine, over = replace(CollectiveRefrigerator(num_spins=11), {"work.temperature": 5.0}), {}
    for name in ("cold", "work", "hot"):
        center = float(getattr(machine, name).spectral_density.center)
        over[f"{name}.spectral_density.center"] = (0.75 * center, 1.25 * center)
        over[f"{name}.spectral_density.width"] = (1e-3, 1.0)
        over[f"{name}.spectral_density.height"] = (1e-8, 1.0)
    return _asked(machine, "J_cold", over, {**limits, **_VALID}, {"precision": _precision})


def _precision(machine):
    """2 over the `tur` of the cooling current, at most 1, with the sign of the current: without the
    pole at a current of 0, which no search crosses."""
    point = machine.operate()
    return jnp.sign(point.heat_currents["cold"]) * 2 / point.tur("cold")


def _peaked(name):
    """An observable of qubits whose filters have the same peak whatever their width."""
    return lambda machine: observables(machine)[name](machine.fixed_peak())


def _fixed_peak():
    default = problem(Qubits())
    over = {path: bounds for path, bounds in default.over.items() if "strength" not in path}
    over |= {f"{name}.spectral_density.width": (2e-3, 0.3) for name in ("hot", "sink", "cold")}
    over["coupling"] = (1e-7, 1.0)
    own = {name: _peaked(name) for name in ("J_cold", "COP", "validity")}
    return _asked(Qubits().fixed_peak(), "J_cold", over, {"COP": (0.2, None), **_VALID}, own)


def _least_entropy():
    machine = replace(NDemon(), {"cold.temperature": 0.5, "width": 0.01})
    over = {"boldness": (0.01, 3.0), "exchange": (-0.3, 0.3), "energy_4": (1.1, 1.9)}
    limits = {"J_cold": (5e-6, None), "margin": (1e-3, None), **_VALID}
    return _asked(machine, "sigma", over, limits, is_largest=False)


def _relaxed():
    machine = replace(NDemon(), {"cold.temperature": 0.5, "width": 0.01})
    over = {"boldness": (0.01, 3.0), "exchange": (-0.3, 0.3), "energy_4": (1.55, 1.9)}
    limits = {"COP": (0.2, None), "margin": (1e-3, None), **_VALID}
    return _asked(machine, "J_cold", over, limits)


def boxcar() -> Conductor:
    """A conductor that lets pass one window of energies, between a cold lead and a hot one."""
    leads = {
        "cold": Reservoir(1.0, 0.5, "fermi", spectral_density=WideBand(1.0)),
        "hot": Reservoir(2.0, -0.5, "fermi", spectral_density=WideBand(1.0)),
    }
    return Conductor(leads, [("hot", "cold", Boxcar(3.0, 4.0))])


def _whitney():
    over = {
        "reservoirs.cold.chemical_potential": (0.0, 3.0),
        "transmissions[0].center": (0.5, 12.0),
        "transmissions[0].width": (0.05, 20.0),
    }
    return _asked(boxcar(), "efficiency", over, {"power": (0.02, None)})


def dot_engine() -> RateNetwork:
    """One level that either spin may fill, not both, between a cold lead and a hot one."""
    leads = {
        "cold": Reservoir(1.0, 0.5, "fermi", spectral_density=WideBand(0.02)),
        "hot": Reservoir(2.0, -0.5, "fermi", spectral_density=WideBand(0.02)),
    }
    jumps = [("cold", 0, 1, 2.0), ("hot", 0, 1, 2.0)]
    return RateNetwork([0.0, 2.0], jumps, leads, particles=[0, 1], degeneracies=[1, 2])


def _dot():
    over = {
        "energies[1]": (0.5, 6.0),
        "reservoirs.cold.chemical_potential": (0.0, 3.0),
        "reservoirs.cold.spectral_density.height": (1e-3, 1.0),
        "reservoirs.hot.spectral_density.height": (1e-3, 1.0),
    }
    limits = {"efficiency": (0.3, None), **_VALID}
    return _asked(dot_engine(), "power", over, limits)


def harvester() -> RateNetwork:
    """Two dots that repel each other: heat of a hot gate, at one of them, drives electrons from one
    lead to another through the other, against a bias, because the leads pass them at different
    energies.

    Levels: empty, the conducting dot filled, the gate's dot filled, both.
    """

    def lead(temperature, potential):
        return Reservoir(temperature, potential, "fermi", spectral_density=WideBand(0.05))

    leads = {"left": lead(1.0, 0.0), "right": lead(1.0, 0.2), "gate": lead(2.0, 0.0)}
    jumps = [
        ("left", 0, 1, 1.0),
        ("right", 2, 3, 1.0),
        ("gate", 0, 2, 1.0),
        ("gate", 1, 3, 1.0),
    ]
    return RateNetwork([0.0, 0.5, 0.5, 2.5], jumps, leads, particles=[0, 1, 1, 2])


def _harvest():
    over = {
        "energies[1]": (-4.0, 4.0),
        "energies[2]": (-4.0, 4.0),
        "energies[3]": (-4.0, 12.0),
        "reservoirs.right.chemical_potential": (0.01, 4.0),
        "reservoirs.left.spectral_density.height": (1e-4, 1.0),
        "reservoirs.right.spectral_density.height": (1e-4, 1.0),
        "reservoirs.gate.spectral_density.height": (1e-4, 1.0),
    }
    return _asked(harvester(), "power", over, dict(_VALID))


def _cooled(machine):
    """The temperature of the first reservoir after a time of 2000."""
    return machine.evolve(jnp.asarray([2000.0])).temperatures[0, 0]


def _lifetime(machine):
    """The time in which the slowest deviation from equilibrium falls to 1 / e, above two that never
    do, of particles and of energy."""
    return 1 / machine.relaxation_rates()[2]


def _finite(objective, limits, is_largest):
    machine = FiniteReservoirs(rates=np.full((2, 2), 0.01))
    over = {f"energies[{k}]": (20.5, 24.0) for k in (0, 1)}
    over |= {f"rates[{j},{k}]": (1e-3, 0.1) for j, k in np.ndindex(2, 2)}
    own = {"temperature": _cooled, "lifetime": _lifetime}
    return _asked(machine, objective, over, {**limits, **_VALID}, own, is_largest=is_largest)


def _left_out(motor):
    """The next two terms of the series in the velocity over those kept, in squares: smooth, which
    `omitted`, the largest of each, is not."""
    velocity = motor.operate().velocity
    torque = motor.coefficients(5).torque
    terms = jnp.stack([term * velocity**k for k, term in enumerate(torque)]) ** 2
    return jnp.sqrt(terms[4:].sum() / terms[1:4].sum())


def _efficient():
    default = problem(QuantumMotor())
    limits = {"power": (4e-4, None), "omitted": (None, 0.1), **_VALID}
    own = {"omitted": _left_out}
    return _asked(QuantumMotor(), "efficiency", dict(default.over), limits, own)


def _shaped():
    circle = np.zeros((2, 2, 2))
    circle[:, :, 0] = np.eye(2)
    over = dict(problem(QuantumMotor()).over)
    over |= {f"orbit[{dot},{wave},1]": (-0.5, 0.5) for dot, wave in np.ndindex(2, 2)}
    limits = {"efficiency": (0.3, None), "omitted": (None, 0.1), **_VALID}
    return _asked(QuantumMotor(orbit=circle), "power", over, limits, {"omitted": _left_out})


_STATED: dict[str, dict[str, _Stated]] = {
    "collective-refrigerator": {
        "cooling": _Stated(
            "11 spins at T_w = 5: largest cooling current, COP at least 0.3",
            lambda: _collective({"COP": (0.3, None)}),
        ),
        "precision": _Stated(
            "11 spins at T_w = 5: largest cooling current with 0.3 of the precision that entropy"
            " production allows, TUR = 6.7",
            lambda: _collective({"precision": (0.3, None)}),
        ),
    },
    "qubit-refrigerator": {
        "fixed peak": _Stated(
            "two qubits: largest cooling current at a COP of 0.2 or more, over shift, centres and"
            " coupling, filters of a peak that does not grow as they narrow",
            _fixed_peak,
            Qubits.fixed_peak,
        ),
    },
    "resonator-refrigerator": {
        "free centres": _Stated(
            "two resonators: largest cooling current at the COP of the paper's filters, over shift,"
            " centres and strengths",
            lambda: problem(Resonators()),
        ),
    },
    "n-demon": {
        "relaxed": _Stated(
            "resonances of width 0.01 at T_c = 0.5: most cooling at a COP of 0.2 or more, with"
            " exchange of particles",
            _relaxed,
        ),
        "least entropy": _Stated(
            "resonances of width 0.01 at T_c = 0.5: least entropy at a cooling current of 5e-6",
            _least_entropy,
        ),
    },
    "quantum-motor": {
        "power": _Stated(
            "a circle: largest power at half of the torque at rest, at an efficiency of 0.3 or"
            " more",
            lambda: problem(QuantumMotor()),
        ),
        "efficiency": _Stated(
            "a circle: best efficiency at half of the torque at rest, at a power of 4e-4 or more,"
            " where the series in the velocity converges",
            _efficient,
        ),
        "orbit shape": _Stated(
            "an orbit with second harmonics: largest power at half of the torque at rest, at an"
            " efficiency of 0.3 or more, where the series in the velocity converges",
            _shaped,
        ),
    },
    "finite-reservoirs": {
        "temperature": _Stated(
            "two modes between the gases of Fig. 1: the lowest temperature after a time of 2000",
            lambda: _finite("temperature", {}, is_largest=False),
        ),
        "lifetime": _Stated(
            "two modes between the gases of Fig. 1: the slowest return to equilibrium from a"
            " temperature of 0.45 or less after a time of 2000",
            lambda: _finite("lifetime", {"temperature": (None, 0.45)}, is_largest=True),
        ),
    },
    "conductor": {
        "Whitney": _Stated(
            "one window between leads at T = 1 and 2: best efficiency at a power of 0.02", _whitney
        ),
    },
    "dot-engine": {
        "power": _Stated(
            "one level with Coulomb blockade between leads at T = 1 and 2: largest power at an"
            " efficiency of 0.3 or more",
            _dot,
        ),
    },
    "harvester": {
        "power": _Stated(
            "two dots that repel each other, a hot gate at T = 2 and leads at T = 1: largest power",
            _harvest,
        ),
    },
}
