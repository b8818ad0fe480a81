"""Makes `synthetic_study` importable, here and by name only."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
