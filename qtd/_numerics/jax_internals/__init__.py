"""Everything that leans on the inside of JAX: primitives of our own, and walks through programs.

Nothing else in the library imports `jax.extend` or `jax.interpreters`. `docs/internals.md` says
what each buys, measured, and how to do without it.
"""
