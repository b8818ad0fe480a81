"""Tests of plug-ins share `installed`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
