"""What the README says works as printed."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"


@pytest.mark.deep
@pytest.mark.quick
@pytest.mark.timeout(1800)  # all of them in one go
def test_the_examples_run_in_order(tmp_path, monkeypatch, users_configuration):
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL):
        exec(block, names)
    assert float(names["point"].heat_currents["cold"]) == pytest.approx(0.0970481, rel=1e-6)
    assert names["best"].converged and (tmp_path / "history.png").exists()


def test_there_are_exactly_two_set_up_commands():
    commands = re.findall(r"```bash\n(.*?)```", README.read_text(), flags=re.DOTALL)
    assert len(commands) == 2 and all(len(text.strip().splitlines()) == 1 for text in commands)
