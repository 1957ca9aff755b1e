import os

import pytest

from qtd._numerics.memory import memory, require_memory


def test_what_fits_passes_and_what_does_not_is_refused_in_one_line():
    require_memory(int(0.4 * memory()), "half", "nothing")
    with pytest.raises(
        ValueError,
        match=r"^All of it would take .* GB of memory, where .* GB can be used; take less\.$",
    ):
        require_memory(int(memory()), "All of it", "take less")


@pytest.mark.parametrize("error", [AttributeError, ValueError, OSError])
def test_systems_that_do_not_tell_their_memory_have_no_bound(monkeypatch, error):
    def fail(name):
        raise error

    monkeypatch.setattr(os, "sysconf", fail)
    require_memory(10**15, "much", "take less")
