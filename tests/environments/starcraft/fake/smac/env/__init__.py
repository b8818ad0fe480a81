"""An environment with the methods, sizes, time limit and failures of SMAC's `StarCraft2Env`.

Agents lose life by chance; whoever has an enemy in reach, by chance, can take a third of its life.
`$SC2PATH/orders` makes the game fail, `$SC2PATH/games` says what was started; as in `stand_in.py`,
and `crash-10` there is a game that SMAC has started again in the tenth step. With `child` there the
game is a process, whose number `$SC2PATH/games` has as well.
"""

import os
import subprocess
import time
from pathlib import Path

import numpy as np

from suite.environments.skirmish.scenario import load_scenario

FOLDER = Path(os.environ["SC2PATH"])
THIRD, WIN = 1 / 3, 1.0


class StarCraft2Env:
    def __init__(self, map_name, seed=None):
        self.scenario, self.seed = load_scenario(map_name), seed
        self.n_agents, self.n_enemies = len(self.scenario.allies), len(self.scenario.enemies)
        self.random = np.random.default_rng(seed)
        self.force_restarts = self.n_steps = self.n_episodes = self.timeouts = self.length = 0
        self.port = None

    def get_env_info(self):
        info = self.scenario.info()
        return {
            "n_agents": info.n_agents,
            "n_actions": info.n_actions,
            "obs_shape": info.observation_size,
            "state_shape": info.state_size,
            "episode_limit": info.episode_limit,
        }

    def reset(self):
        if self.port is None:
            self._launch()
        self.agents, self.enemies = np.ones(self.n_agents), np.ones(self.n_enemies)
        self.length = 0
        self._look()
        return self.get_obs(), self.get_state()

    def _launch(self):
        import portpicker

        self.force_restarts += self._obey()
        self.port = portpicker.reserved.pop()
        with (FOLDER / "games" / str(os.getpid())).open("a") as file:
            print(self.seed, self.port, os.environ["TMPDIR"], file=file)
        if (FOLDER / "orders" / "child").exists():  # as the game is one of SMAC's process
            child = subprocess.Popen(["sleep", "3600"])
            (FOLDER / "games" / f"{os.getpid()}.child").write_text(str(child.pid))

    def step(self, actions):
        for agent, action in enumerate(actions):
            assert self.available[agent][action] == 1, "not available"
        self.n_steps += 1
        self.length += 1
        if self._obey():
            self.force_restarts += 1
            return 0, True, {}
        before = self.enemies.sum()
        for action in actions:
            if action >= 6:
                target = action - 6
                self.enemies[target % self.n_enemies] -= THIRD
        self.enemies = np.where(self.enemies < 1e-6, 0.0, self.enemies)
        reward = before - self.enemies.sum()
        has_won = not self.enemies.any()
        if not has_won and not (FOLDER / "orders" / "peace").exists():
            self.agents *= self.random.random(self.n_agents) < 0.9
        is_over = has_won or not self.agents.any()
        if not is_over and self.length >= self.scenario.episode_limit:
            is_over, self.timeouts = True, self.timeouts + 1
        self.n_episodes += is_over
        self._look()
        info = {
            "battle_won": has_won,
            "dead_allies": int((self.agents == 0).sum()),
            "dead_enemies": int((self.enemies == 0).sum()),
        }
        return (reward + WIN * has_won) * 20 / (self.n_enemies + WIN), bool(is_over), info

    def _look(self):
        self.seen = self.random.random((self.n_agents, self.scenario.observation_size))
        self.state = self.random.random(self.scenario.state_size).astype(np.float32)
        self.available = []
        for life in self.agents:
            can = np.zeros(self.scenario.n_actions, int)
            if life:
                can[1] = 1
                can[2:6] = self.random.random(4) < 0.9
                can[6:] = (self.random.random(self.n_enemies) < 0.3) & (self.enemies > 0)
            else:
                can[0] = 1
            self.available.append(can.tolist())

    def get_obs(self):
        return [row if life else row * 0 for row, life in zip(self.seen, self.agents, strict=True)]

    def get_state(self):
        return self.state

    def get_avail_actions(self):
        return self.available

    def get_stats(self):
        return {"timeouts": self.timeouts, "win_rate": 0 / self.n_episodes}

    def close(self):
        (FOLDER / "games" / f"{os.getpid()}-closed").touch()

    def _obey(self):
        """Whether the game is to crash now; or something worse."""
        for how in ("crash", "die", "hang", "raise"):
            order = FOLDER / "orders" / f"{how}-{self.n_steps}"
            try:
                order.unlink()
            except FileNotFoundError:  # or another game was told so
                continue
            if how == "die":
                os._exit(3)
            if how == "hang":
                time.sleep(3600)
            if how == "raise":
                raise ValueError("no port")
            return True
        return False
