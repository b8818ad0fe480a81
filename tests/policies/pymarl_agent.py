"""An agent as PyMARL trains and stores it, in plain torch."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import torch

from suite.environments import describe


class PymarlAgent(torch.nn.Module):
    """`src/modules/agents/rnn_agent.py`: an encoder, a GRU, a value for every action."""

    def __init__(self, scenario: str, hidden: int = 64, seed: int = 0) -> None:
        super().__init__()
        info = describe(scenario)
        torch.manual_seed(seed)
        inputs = info.observation_size + info.n_actions + info.n_agents
        self.fc1 = torch.nn.Linear(inputs, hidden)
        self.rnn = torch.nn.GRUCell(hidden, hidden)
        self.fc2 = torch.nn.Linear(hidden, info.n_actions)
        with torch.no_grad():  # so that what it sees decides what it does
            for parameter in self.parameters():
                parameter.mul_(3)

    def forward(
        self, inputs: torch.Tensor, hidden: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        hidden = self.rnn(torch.relu(self.fc1(inputs)), hidden)
        return self.fc2(hidden), hidden

    def save(self, path: Path) -> Path:
        state = self.state_dict()
        assert isinstance(state, OrderedDict)
        torch.save(state, path)
        return path
