"""Float64, and no silent promotion of types or ranks, in every test; and an end to what each file has compiled."""

import jax
import pytest

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture(scope="module", autouse=True)
def forget_compiled_programs():
    """Each holds several memory maps, of which Linux allows a process 65 530: a run of all tests would end in a segmentation fault."""
    yield
    jax.clear_caches()


@pytest.fixture
def users_configuration():
    """Strict promotion is ours; a user has JAX's defaults."""
    jax.config.update("jax_numpy_dtype_promotion", "standard")
    jax.config.update("jax_numpy_rank_promotion", "allow")
    yield
    jax.config.update("jax_numpy_dtype_promotion", "strict")
    jax.config.update("jax_numpy_rank_promotion", "raise")
