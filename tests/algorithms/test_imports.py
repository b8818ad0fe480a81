"""What importing costs, and what the allocator is told."""

from __future__ import annotations

import subprocess
import sys

import pytest

import suite.algorithms

SETTINGS_ONLY = "import sys, suite.algorithms.settings; assert 'torch' not in sys.modules"
KEEP = "from suite.algorithms.allocator import keep_freed_memory; print(keep_freed_memory())"


def test_settings_come_without_torch() -> None:
    subprocess.run([sys.executable, "-c", SETTINGS_ONLY], check=True)


def test_every_public_name_is_there() -> None:
    assert all(getattr(suite.algorithms, name) is not None for name in suite.algorithms.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = suite.algorithms.nonsense


def test_allocator_says_whether_it_listens() -> None:
    found = subprocess.run([sys.executable, "-c", KEEP], check=True, capture_output=True, text=True)
    if sys.platform.startswith("linux"):
        import platform

        assert found.stdout.strip() == str(platform.libc_ver()[0] == "glibc")
    else:
        assert found.stdout.strip() == "False"
