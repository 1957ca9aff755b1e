"""The public surface, as a user meets it: the names of the design document, in their order."""

import inspect
import pydoc

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import qtd


def test_a_machine_is_operated_counted_and_differentiated():
    fridge = qtd.machines.CollectiveRefrigerator(num_spins=31)
    point = fridge.operate()
    assert isinstance(point, qtd.thermodynamics.OperatingPoint)
    for currents in (point.heat_currents, point.particle_currents, point.energy_currents):
        assert set(currents) == {"cold", "hot", "work"}
    numbers = (point.entropy_production, point.cop, point.carnot_cop, point.efficiency, point.power)
    assert all(jnp.ndim(number) == 0 for number in numbers) and point.mode == "refrigerator"
    assert jnp.ndim(fridge.covariance()["cold", "work"]) == jnp.ndim(point.tur("cold")) == 0
    assert fridge.cumulants("cold", order=4).shape == (4,)
    slope = eqx.filter_grad(lambda m: m.operate().heat_currents["cold"])(fridge)
    assert np.isfinite(float(slope.work.spectral_density.width))
    wider = qtd.replace(fridge, {"work.spectral_density.width": 0.002, "cold.temperature": 0.4})
    assert float(qtd.parameters(wider)["cold.temperature"]) == 0.4


def test_a_machine_is_designed_and_swept():
    fridge = qtd.machines.CollectiveRefrigerator(num_spins=3)
    best = qtd.design.maximize(
        lambda m: m.operate().heat_currents["cold"],
        fridge,
        over={"cold.spectral_density.center": (1.0, 4.0)},
        subject_to={"cop": (lambda m: m.operate().cop, None, 0.9)},
        starts=2,
        steps=20,
        optimizer=optax.adam(0.03),
        progress=False,
    )
    assert isinstance(best.machine, type(fridge)) and jnp.ndim(best.value) == 0
    assert isinstance(best.active_bounds, tuple | list | dict) and best.converged is not None
    assert qtd.plots.history(best).axes
    cooling = {"J_c": lambda m: m.operate().heat_currents["cold"], "cop": lambda m: m.operate().cop}
    grid = {"cold.temperature": jnp.linspace(0.3, 1, 3), "hot.temperature": jnp.linspace(0.4, 2, 2)}
    table = qtd.sweep(fridge, over=grid, observe=cooling, store=None, resume=False, client=None)
    assert table.J_c.dims == ("cold.temperature", "hot.temperature")
    assert table.J_c.attrs["units"] == "E^2" and table.cop.attrs["units"] == "1"
    assert table["cold.temperature"].attrs["units"] == "E" and table.attrs["qtd"] == qtd.__version__


def test_a_device_that_nobody_put_in_is_operated_counted_and_relaxed():
    peak = qtd.spectral.Lorentzian(center=1.0, width=0.5)
    baths = {
        "cold": qtd.Reservoir(temperature=0.5, spectral_density=peak),
        "work": qtd.Reservoir(temperature=20.0, spectral_density=qtd.spectral.Ohmic(0.1, 10.0)),
        "hot": qtd.Reservoir(temperature=1.0, spectral_density=qtd.spectral.Ohmic(0.1, 10.0)),
    }
    jumps = [("cold", 0, 1, 1.0), ("work", 1, 2, 1.0), ("hot", 0, 2, 1.0)]
    net = qtd.RateNetwork([0.0, 1.0, 5.0], particles=[0, 0, 0], jumps=jumps, reservoirs=baths)
    assert qtd.operate(net, cooled="cold", driven_by="work").mode
    assert qtd.counting.covariance(net).matrix.shape == (3, 3)
    assert qtd.counting.cumulants(net, "cold", order=4).shape == (4,)
    assert qtd.evolution.relax(net, [1.0, 0.0, 0.0], jnp.linspace(0, 1, 3)).shape == (3, 3)


def test_machines_step_down_a_layer():
    assert isinstance(qtd.machines.CollectiveRefrigerator(num_spins=3).network(), qtd.RateNetwork)
    qubits = qtd.machines.QubitRefrigerator("local", exchange=0.1)
    assert isinstance(qubits.lindbladian(), qtd.Lindbladian)
    assert jax.tree.leaves(qtd.machines.QuantumMotor()) and qtd.machines.FiniteReservoirs.evolve
    assert qtd.machines.QuantumMotor.work_coefficients and qtd.machines.NDemon.occupations
    assert qtd.machines.QuantumMotor.terminal_velocities


PUBLIC = [
    (module, name)
    for module in ("qtd", "qtd.machines", "qtd.thermodynamics", "qtd.systems", "qtd.counting")
    for name in sorted(dir(pydoc.locate(module)))
    if not name.startswith("_")
]


@pytest.mark.parametrize(("module", "name"), PUBLIC, ids=[".".join(pair) for pair in PUBLIC])
def test_help_of_a_public_name_reads_as_a_page(module, name):
    """It begins with a sentence, and says nothing that only the library's authors understand."""
    value = getattr(pydoc.locate(module), name)
    if not (inspect.ismodule(value) or callable(value)):
        return
    said = inspect.getdoc(value) or ""
    assert said[:1].isupper() or said[:1] in '`|"', said[:60]
    assert not said.startswith(("Of ", "By ", "As ", "To ", "With "))
    page = pydoc.render_doc(value, renderer=pydoc.plaintext)
    assert said.splitlines()[0].strip() in page
