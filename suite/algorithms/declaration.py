"""What a method says of itself before anything is trained. No torch here.

Plans, checks, labels, cost, reports and sweeps ask the declaration; none of them knows a method by
name. A method lives in a folder of this package, or comes from outside as a plug-in
(`suite.algorithms.registry`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from suite.algorithms.settings import ArmSettings, Settings
from suite.runs.hyperparameters import Hyperparameter, Value
from suite.runs.modes import DECENTRALISED, ExecutionMode
from suite.runs.protocol import TrainingProtocol
from suite.runs.sizes import Sizes

if TYPE_CHECKING:
    import torch

    from suite.algorithms.interface import Algorithm
    from suite.algorithms.mixers.interface import Mixer


@dataclass(frozen=True)
class Refusal:
    """Why an arm cannot run on a scenario. key: the setting at fault; cure: what to do."""

    what: str
    key: str
    value: object
    cure: str


@dataclass(frozen=True)
class Work:
    """What training on one more episode costs, on the average.

    n_updates: updates per training episode, once `first_episodes` are remembered. update_flops:
    floating-point operations of one. memory_bytes: of everything that is remembered at the end, of
    the networks, and of an update.
    """

    n_updates: float
    update_flops: float
    first_episodes: int = 1
    memory_bytes: float = 0.0


@dataclass(frozen=True)
class TrainingMetric:
    """A metric of a method's own, recorded as `train/<name>`.

    label: for people. low, high: its possible range. kind: "loss" if every update leaves one,
    "fact" if it is recorded at every test, "mean" for all others. is_watched: whether figures show
    it beside the curves where a hyperparameter names a training step.
    """

    name: str
    label: str
    low: float = float("-inf")
    high: float = float("inf")
    kind: Literal["loss", "fact", "mean"] = "mean"
    is_watched: bool = False


@dataclass(frozen=True)
class Members:
    """The runs that are trained side by side; every sequence has one value per member.

    hyperparameters: name → values of what the method declares.
    """

    seeds: Sequence[int]
    learning_rate: Sequence[float] | None = None
    hyperparameters: Mapping[str, Sequence[Value]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.seeds)


@dataclass(frozen=True)
class Backbone:
    """A way of mixing utilities into a joint value, on which several methods can stand.

    settings: its own settings, joined with those of the method. build: the mixer of an arm, whose
    `specs` can be asked without torch. is_mixing: False where every agent has a value of its own.
    refusal: why an arm with these settings cannot run on a scenario of these sizes, or None.
    title: for people; the name in capitals where none is given.
    """

    name: str
    settings: type[Settings]
    build: Callable[[Any, Sizes], Mixer]
    is_mixing: bool = True
    refusal: Callable[[Any, Sizes], Refusal | None] = lambda settings, sizes: None
    title: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "title", self.title or self.name.upper())


class Method(ABC):
    """One framework on one backbone.

    framework, backbone: its name in study files. settings: the model of an arm's settings, the
    source of each default beside it.
    """

    framework: str
    backbone: str
    settings: type[ArmSettings]

    @property
    def backbone_title(self) -> str:
        """The backbone for people; arms of one backbone are shown together under it."""
        return self.backbone.upper()

    @property
    def title(self) -> str:
        """For people: "CADP on QMIX"; "QMIX" for the plain framework."""
        return f"{self.framework_title} on {self.backbone_title}"

    @property
    def framework_title(self) -> str:
        """The framework for people."""
        return self.framework.upper().replace("_", "-")

    def published_as(self, settings: Any) -> str | None:
        """The name of its lines in the paper's figures; None if they do not show it."""
        return None

    def on_scenario(self, settings: Any, scenario: str) -> Any:
        """The settings of an arm on a scenario, by its name within its backend.

        For methods whose releases set something per scenario: what the study itself sets
        (`settings.model_fields_set`) stays.
        """
        return settings

    def hyperparameters(self, settings: Any | None = None) -> tuple[Hyperparameter, ...]:
        """What a study may enumerate or search for arms with these settings; None: with any."""
        return ()

    def modes(self, settings: Any) -> tuple[ExecutionMode, ...]:
        """The modes in which a trained model is tested, the training one first.

        `DECENTRALISED` is always among them.
        """
        return (DECENTRALISED,)

    def metrics(self, settings: Any) -> tuple[TrainingMetric, ...]:
        """What it records in training, beside what the training loop itself does."""
        return ()

    def extra_observations(self, settings: Any, sizes: Sizes) -> tuple[str, ...]:
        """Names of the further observations that an environment must give (`Sizes`)."""
        return ()

    def refusal(self, settings: Any, sizes: Sizes) -> Refusal | None:
        """Why an arm with these settings cannot run on a scenario; None if it can."""
        return None

    def point_refusal(self, settings: Any, values: Mapping[str, Value]) -> Refusal | None:
        """Why these values of its hyperparameters do not go together, or with the settings; `key`
        is one of them. None if they do."""
        return None

    def protocol_refusal(self, settings: Any, protocol: TrainingProtocol) -> Refusal | None:
        """Why an arm with these settings cannot be trained so; None if it can."""
        return None

    def protocol_defaults(self) -> Mapping[str, object]:
        """Settings of the training protocol that this method has otherwise, where a study does not
        say: name → value."""
        return {}

    def protocol_unused(self) -> frozenset[str]:
        """Names of the training protocol's settings that this method has no use for."""
        return frozenset()

    @abstractmethod
    def work(
        self, settings: Any, protocol: TrainingProtocol, sizes: Sizes, mean_length: float
    ) -> Work:
        """Cost of training, from the layers that the networks declare.

        mean_length: steps of an episode, on the average.
        """

    @abstractmethod
    def n_parameters(self, settings: Any, sizes: Sizes) -> int:
        """Trained parameters of one run."""

    @abstractmethod
    def build(
        self,
        settings: Any,
        sizes: Sizes,
        protocol: TrainingProtocol,
        members: Members,
        device: torch.device | str = "cpu",
    ) -> Algorithm:
        """The algorithm that trains `members` side by side; the first to import torch."""
