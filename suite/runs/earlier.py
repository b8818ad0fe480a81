"""The first format of runs: read as before, and runs it could express keep the ids it gave them.

So nothing that was ever trained is trained again because of how this suite arranges its settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# What the first format wrote into every run, whether its arm used it or not.
_FRAMEWORKS = frozenset({"ctde", "cadp"})
_BACKBONES = frozenset({"iql", "vdn", "qmix", "qplex"})
_SETTINGS: Mapping[str, Any] = {
    "protocol": "repaired",
    "optimiser": "adam",
    "learning_rate": 5e-4,
    "gamma": 0.99,
    "gradient_clip": 10.0,
    "hidden_size": 64,
    "mixer_embedding": 32,
    "hypernet_layers": 1,
    "hypernet_embedding": 64,
    "n_attention_heads": 4,
    "attention_head_size": 32,
    "pruning_normalisation": "agents_squared",
    "qplex_form": "auto",
}
_HYPERPARAMETERS: Mapping[str, Any] = {"alpha": None, "pruning_start_env_steps": None}
# Of the protocol: what every run of the first format did, and did not say.
_PROTOCOL: Mapping[str, Any] = {
    "time_limit": "bootstrap",
    "episodes_per_collection": 1,
    "updates_per_collection": 1,
}


def first_format(content: Mapping[str, Any]) -> dict[str, Any] | None:
    """A run's content as the first format wrote it; None if it could not."""
    algorithm, training = dict(content["algorithm"]), dict(content["training"])
    values = content["hyperparameters"]
    if algorithm.pop("framework") not in _FRAMEWORKS or algorithm.pop("backbone") not in _BACKBONES:
        return None
    for key, value in _PROTOCOL.items():
        if training.pop(key) != value:
            return None
    if not algorithm.keys() <= _SETTINGS.keys():
        return None
    if not values.keys() <= _HYPERPARAMETERS.keys():
        return None
    rest = {key: content[key] for key in ("scenario", "seed", "environment_version")}
    full = {**_SETTINGS, **content["algorithm"]}
    return {
        "format": 1,
        **rest,
        "algorithm": full,
        "training": training,
        **_HYPERPARAMETERS,
        **values,
    }


def upgraded(stored: Mapping[str, Any]) -> dict[str, Any]:
    """A run as stored, in the present format; others are returned as they are."""
    if "hyperparameters" in stored or not _HYPERPARAMETERS.keys() & stored.keys():
        return dict(stored)
    content = {key: value for key, value in stored.items() if key not in _HYPERPARAMETERS}
    values = {key: stored[key] for key in _HYPERPARAMETERS if stored.get(key) is not None}
    return {**content, "hyperparameters": values}


def is_unused(name: str, value: object) -> bool:
    """Whether a setting is one that the first format wrote into runs that have no use for it."""
    return name in _SETTINGS and _SETTINGS[name] == value
