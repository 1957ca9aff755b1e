"""How tests run."""

import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parent


def test_no_test_starts_after_the_time_given_and_the_summary_says_so():
    said = subprocess.run(
        [sys.executable, "-m", "pytest", "-rs", "--until", "1", str(TESTS / "test_status.py")],
        capture_output=True,
        text=True,
        timeout=300,
    ).stdout
    assert "there was no time left" in said and " skipped in" in said and " passed" not in said
