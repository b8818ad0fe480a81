"""Runs that travel in packs: `cadp-suite export` and `cadp-suite import`."""

from suite.transfer.exporting import Exported, export_runs
from suite.transfer.importing import IfDifferent, Imported, import_packs

__all__ = ["Exported", "IfDifferent", "Imported", "export_runs", "import_packs"]
