"""Sweeps: a machine at many points of its parameters, as a labelled dataset that survives
interruptions and grows past one computer."""

import contextlib
import math
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray
from tqdm import tqdm

from .._numerics.memory import require_memory
from ..observables import units_of
from ..parameters import validate
from ..units import unit_of_parameter
from ._kernel import Kernel, Program
from ._layout import laid_out
from ._run import Task, Work, doubles, locally, on_cluster
from ._store import Soundness, Store, create, in_memory, locked, verified, verify
from .axes import Axis, Over, axes_of, random, sobol, zipped
from .observables import Observable, Observe, gradient, wanted_of

if TYPE_CHECKING:
    import distributed

__all__ = ["Axis", "Soundness", "gradient", "random", "sobol", "sweep", "verify", "zipped"]


# what is kept of it while others are computed: its number, its turn, its flag
_BYTES_OF_A_BLOCK = 4096


def sweep(
    machine: Any,
    over: Over,
    observe: Observe,
    *,
    status: Observable | None = None,
    store: str | os.PathLike | None = None,
    resume: bool = False,
    progress: bool = False,
    client: "distributed.Client | None" = None,
    units: Mapping[str, str] | None = None,
) -> xarray.Dataset:
    """What a `machine` does at many points of its parameters.

    - `over`: `{path: values}`, a grid with a dimension for each path (as in `qtd.parameters`); or
      `zipped`, `sobol`, `random`; or a list of these, of which all combinations are computed.
    - `observe`: `{name: function}` of the machine that return a number, a small array or a PyTree
      of them, such as `qtd.sweeps.gradient(function, paths)`, each leaf of which is recorded as
      "name.path"; or names of the machine's own observables.
    - `status`: the function of the machine that says how it went (`qtd.Status`), by default that of
      `machine.operate()`, and of a bare network, master equation or conductor that is asked by name
      that of `qtd.operate`.
    - `store`: a Zarr store to write to, in blocks; without it everything stays in memory. With
      `resume`, a store of the same sweep (machine, parameters, observables, versions) is finished,
      any other refused, and a missing one begun. All that is finished is read once, and compared
      with its checksums (see `verify`): blocks that are damaged are named by a warning and computed
      again.
    - `progress`: show a bar on stderr.
    - `client`: a `distributed.Client`, whose workers compute and write the blocks. They must see
      the path of the store.
    - `units`: by name, where the machine does not tell them (as it does of J_cold, and of what
      begins like it, J_c); they are kept in the store.

    The dataset has the parameters as coordinates, and what describes the sweep as attributes. Its
    `status` is -1 where nothing has been computed yet. A point that the machine has no numbers for,
    or where there is no such machine, has its status and NaN (records of whole numbers and truth
    values have no NaN); no other has. Everything is compiled once. The bits do not depend on
    devices, workers and interruptions. Raises `ValueError` for unknown paths and names, for more
    points than fit into memory, and for a store that is another sweep's, exists (without `resume`),
    is being written, or does not say any more what it is; `OSError` if it cannot be written to.
    `KeyboardInterrupt` has a note that says what is kept.

    >>> table = qtd.sweep(
    ...     qtd.machines.NDemon(),
    ...     over={"cold.temperature": [0.7, 0.8, 0.9]},
    ...     observe=["J_cold", "COP"],
    ... )
    >>> print(table.COP.values.round(4))
    [0.2999 0.3586 0.4228]
    """
    validate(machine)
    path = None if store is None else Path(store).absolute()
    if path is not None and path.exists() and not resume:
        raise ValueError(
            f"`store` {str(path)!r} exists; finish it with resume=True, delete it, or choose"
            " another path."
        )
    axes, observed = axes_of(over, machine), wanted_of(observe, machine)
    if client is not None and store is None:
        raise ValueError("`client` needs a `store` that its workers can write to.")
    task = Task(
        machine, observed, status, tuple(path for axis in axes for path in axis.values), doubles()
    )
    program = task.program()
    _check_names(axes, program.outputs, units or {})
    _check_size(axes, program, path)
    known = _units(machine, axes, program.outputs, units or {})
    with (
        _interruptible(path),
        _opened(path, axes, program, task.identity(axes, program), known) as kept,
    ):
        layout, missing = kept.layout, _missing(kept, path)
        total, points = math.prod(layout.shape), lambda number: math.prod(layout.size(number))
        done = total - sum(map(points, missing))
        with tqdm(
            total=total,
            initial=done,
            unit="point",
            unit_scale=True,
            disable=not progress,
            desc="compiling",
        ) as bar:
            if client is not None and path is not None:
                computed = on_cluster(client, task, path, kept.note("sweep"), missing)
            elif missing:
                computed = locally(
                    Work(Kernel(program, layout.points, layout.batch), kept, axes),
                    task.doubles,
                    missing,
                )
            else:
                computed = (number for number in missing)
            # An interrupt anywhere waits for the blocks that are being written, and only then is
            # the store unlocked.
            with contextlib.closing(computed):
                for number in computed:
                    bar.set_description("sweep", refresh=False)
                    bar.update(points(number))
    return kept.dataset().load() if path is None else kept.dataset()


def _units(
    machine: Any, axes: list[Axis], outputs: Iterable[str], given: Mapping[str, str]
) -> dict[str, str]:
    """The units of parameters and of what is recorded, by name: those `given`, or else what the
    machine tells."""
    parameters = {path: unit_of_parameter(path, machine) for axis in axes for path in axis.values}
    unsaid = [
        name for name in outputs if name not in given and name != "status" and "." not in name
    ]
    return parameters | (units_of(machine, unsaid) if unsaid else {}) | dict(given)


def _check_size(axes: list[Axis], program: Program, path: Path | None) -> None:
    """Refuse what would not fit into memory: without a store all that is recorded, and a copy of
    it; with one, its list of blocks."""
    shape = tuple(axis.points for axis in axes)
    total, told = math.prod(shape), f"`over` has {math.prod(shape):.4g} points, which"
    if path is None:
        require_memory(
            2 * total * program.size(), told, "take fewer values, observe less, or give a `store`"
        )
    else:
        blocks = laid_out(shape, program.batch(), program.size()).blocks
        require_memory(
            _BYTES_OF_A_BLOCK * blocks, told, "take fewer values, or sweep one part after the other"
        )


@contextlib.contextmanager
def _opened(
    path: Path | None, axes: list[Axis], program: Program, identity: dict, units: dict[str, str]
) -> Iterator[Store]:
    """The store, made or found, with nobody else writing to it."""
    layout = laid_out(tuple(axis.points for axis in axes), program.batch(), program.size())
    contents = axes, layout, program.outputs, identity, units
    if path is None:
        yield in_memory(*contents)
        return
    if not path.exists():
        create(path, *contents)
    store = verified(path, identity)
    with locked(path):
        yield store


@contextlib.contextmanager
def _interruptible(path: Path | None) -> Iterator[None]:
    """An interrupt from the keyboard says what is kept."""
    try:
        yield
    except KeyboardInterrupt as error:
        kept = f"What is finished is kept in `store` {str(path)!r}; resume=True goes on from there."
        error.add_note("Nothing is kept: the sweep had no `store`." if path is None else kept)
        raise


def _missing(kept: Store, path: Path | None) -> list[int]:
    """The blocks that have to be computed; those that have been, and are damaged, are named."""
    found = kept.soundness()
    if found.damaged:
        named = ", ".join(map(str, found.damaged[:10])) + ", ..." * (len(found.damaged) > 10)
        told = (
            f"`store` {str(path)!r} has {len(found.damaged)} damaged of {found.blocks} blocks,"
            f" which are computed again: {named}."
        )
        warnings.warn(told, stacklevel=3)
    return sorted(found.unfinished + found.damaged)


def _check_names(axes: list[Axis], outputs: dict, units: Mapping[str, str]) -> None:
    coordinates = {name for axis in axes for name in (axis.name, *axis.values)}
    reserved = coordinates & {"progress", "status"}
    if reserved:
        raise ValueError(
            f"`over` must not use the name {min(reserved)!r} for a dimension; the sweep uses it"
            " itself."
        )
    taken = coordinates | {"progress"}
    if taken & set(outputs):
        raise ValueError(
            f"`observe` must not use the name {min(taken & set(outputs))!r}, which the sweep uses"
            " itself; choose another."
        )
    unknown = set(units) - coordinates - set(outputs)
    if unknown:
        raise ValueError(
            f"`units` names nothing that is called {min(unknown)!r}; there is"
            f" {', '.join(sorted(coordinates | set(outputs)))}."
        )
