"""Networks trained in StarCraft II: the file that lists them, and how their weights are read."""

from __future__ import annotations

import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starcraft_data import read_file

from suite.disk import read_plain_file
from suite.environments.skirmish.scenario import Scenario, load_scenario, scenario_names
from suite.errors import InputError, StoredDataError

if TYPE_CHECKING:
    from torch import Tensor

    from suite.policies import Policy


class Network(BaseModel):
    """One entry of the list; see starcraft_transfer.py --help."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    path: str = Field(min_length=1)
    map: str
    win_rate: float = Field(ge=0, le=100, strict=False)
    sees_last_action: bool = True
    name: str = ""
    source: str = ""
    battles: str | None = None


class _List(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    networks: list[Network] = Field(min_length=1)


def read_networks(path: Path) -> Sequence[Network]:
    """The networks of a list. Raises InputError."""
    where = str(path)
    data = read_file(path, "a TOML file that lists networks")
    try:
        content = tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        what = f"not valid TOML: {error!s:.80}"
        raise InputError(what, where=where, cure="correct the syntax there") from None
    cure = "see --help for what a network has"
    try:
        networks = _List.model_validate(content).networks
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise InputError(first["msg"], where=f"{where}: {place}", cure=cure) from None
    for number, network in enumerate(networks):
        if network.map not in scenario_names():
            place = f"{where}: networks.{number}.map"
            cure = f"choose from {', '.join(scenario_names())}"
            raise InputError("no such map", where=place, value=network.map, cure=cure)
    return networks


def network_policy(path: Path, network: Network) -> Policy:
    """The greedy policy of an agent's file. Raises InputError if it is no recurrent agent for the
    map; no code in the file is run."""
    import torch

    from suite.policies.pymarl import pymarl_policy
    from suite.training.weights.tensors import LARGEST_BYTES, fault_of, reading, unpack_torch

    cure = "give weights of a Linear-ReLU-GRUCell-Linear agent that was trained on this map"
    missing = StoredDataError("no such file", where=str(path), cure=cure)
    with reading(str(path), kind="file of an agent's weights", missing=missing, cure=cure):
        data = read_plain_file(path, LARGEST_BYTES)
        content = unpack_torch(data)
    if fault := fault_of(content, len(data)):
        raise StoredDataError(fault, where=str(path), cure=cure)
    weights = as_pymarl(content, load_scenario(network.map), network.sees_last_action)
    with tempfile.TemporaryDirectory() as folder:
        agent = Path(folder) / "agent.th"
        torch.save(weights, agent)
        try:
            return pymarl_policy(agent, f"skirmish/{network.map}")
        except StoredDataError as error:
            raise InputError(error.what, where=str(path), value=error.value, cure=cure) from None


def as_pymarl(
    weights: Mapping[str, Tensor], scenario: Scenario, sees_last_action: bool
) -> Mapping[str, Tensor]:
    """An agent's weights by PyMARL's names, with inputs for a last action if it has none.

    Layers are told apart by their order: linear, recurrent, linear, whatever their names. Anything
    else is returned as it is, to be refused.
    """
    import torch

    layers = list(dict.fromkeys(name.rpartition(".")[0] for name in weights))
    is_recurrent = [f"{layer}.weight_ih" in weights for layer in layers]
    if is_recurrent != [False, True, False]:
        return weights
    names = dict(zip(layers, ("fc1", "rnn", "fc2"), strict=True))
    found = {}
    for name, tensor in weights.items():
        layer, _, rest = name.rpartition(".")
        found[f"{names[layer]}.{rest}"] = tensor
    first = found.get("fc1.weight")
    if not sees_last_action and first is not None and first.ndim == 2:
        seen, ids = first.split([first.shape[1] - len(scenario.allies), len(scenario.allies)], 1)
        nothing = torch.zeros(len(first), scenario.n_actions)  # it weighs its last action by 0
        found["fc1.weight"] = torch.cat([seen, nothing, ids], dim=1)
    return found
