"""The precision that the papers' numbers need."""

import numpy as np

REFUSAL = """figures and claims need double precision:
call jax.config.update("jax_enable_x64", True) first."""


def refuse_single_precision() -> None:
    """Raise `ValueError` in single precision, in which no number is the paper's."""
    import jax.numpy as jnp  # here, so that commands can refuse without it

    if jnp.zeros(0).dtype != np.float64:
        raise ValueError(REFUSAL.replace("\n", " "))
