"""What a weights file is of, for somebody who has nothing else: a JSON document beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

from suite import __version__
from suite.algorithms.registry import method_of, modes_of
from suite.environments import backend_of, describe
from suite.records.provenance import numerics
from suite.runs.spec import RunSpec

if TYPE_CHECKING:
    import torch


def describe_weights(
    run: RunSpec, version: int, file: str, weights: Mapping[str, torch.Tensor], sha256: str
) -> str:
    """The document (docs/weights.md); the same run, weights and software give the same text."""
    backend = backend_of(run.scenario)
    document = {
        "format": version,
        "run_id": run.run_id,
        "file": file,
        "sha256": sha256,
        "n_parameters": sum(tensor.numel() for tensor in weights.values()),
        "method": method_of(run.algorithm).title,
        "execution_modes": {mode.name: mode.words for mode in modes_of(run.algorithm)},
        "environment": {
            **asdict(describe(run.scenario)),
            "title": backend.title,
            "disclaimer": backend.disclaimer,
        },
        "run": run.model_dump(mode="json"),
        "made_with": {"cadp-suite": __version__, **numerics()},
    }
    return json.dumps(document, indent=2) + "\n"
