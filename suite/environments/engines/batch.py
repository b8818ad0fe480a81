"""A batch of engines in processes of their own, which are replaced when they die or hang."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.environments.arrays import ArrayBatch
from suite.environments.engines.interface import Blueprint, Patience, shown_dtype
from suite.environments.engines.process import BreakdownError, EngineProcess
from suite.environments.interface import EnvironmentInfo, Step
from suite.errors import InputError
from suite.text import shortened

# A process that breaks down so often with the same command will do it again.
_MOST_ATTEMPTS = 4
_LONGEST_REASON = 300


class EngineBatch(ArrayBatch):
    """Engines of one blueprint, one per slot; see `interface.BatchedEnvironment`.

    Slots are dealt out to the processes in turn. What is seen does not depend on their number.

    Where a process breaks down, another takes its place. If the game plays again exactly
    (`replays_exactly`), it is led back to where it was, compared, and goes on: nobody outside
    notices. Else the running episodes of that process are lost (`Step.lost`).

    Parameters
    ----------
    n_processes: how many share the slots; without `replays_exactly` every slot has its own.
    replays_exactly: seeds and actions give the same episodes, in any process.
    most_episodes: after so many a process makes room for a new one, for games that leak; None for
        any number.
    tell: takes one line for every breakdown; standard error if None.
    """

    def __init__(
        self,
        info: EnvironmentInfo,
        blueprint: Blueprint,
        n_environments: int,
        seed: int,
        *,
        patience: Patience,
        n_processes: int,
        replays_exactly: bool,
        most_episodes: int | None = None,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__(info, n_environments, seed)
        self.n_breakdowns = 0  # processes that had to be replaced
        self._blueprint, self._patience = blueprint, patience
        self._replays_exactly, self._most_episodes = replays_exactly, most_episodes
        self._tell = tell or _to_standard_error
        self._shown = shown_dtype(info)
        self._seed = [0] * n_environments
        self._played: list[list[list[int]]] = [[] for _ in range(n_environments)]
        # Where an episode can be lost, it takes no other with it.
        n_processes = min(n_processes, n_environments) if replays_exactly else n_environments
        slots = range(n_environments)
        self._processes = [self._start(slots[i::n_processes]) for i in range(n_processes)]
        self.reset()

    def reset(
        self,
        slots: NDArray[np.integer] | None = None,
        episode_seeds: NDArray[np.integer] | None = None,
    ) -> None:
        """Start an episode in `slots`; InputError if the game cannot be brought to that."""
        chosen, seeds = self._checked_reset(slots, episode_seeds)
        self._is_over[chosen] = True  # a process that is replaced has nothing to go back to
        wanted = dict(zip(chosen.tolist(), seeds.tolist(), strict=True))
        self._retire_processes(wanted)
        records, _ = self._command("reset", wanted)
        for slot, record in records.items():
            self._seed[slot], self._played[slot] = wanted[slot], []
            self._is_over[slot] = False
            self._show(slot, record)

    def step(self, actions: NDArray[np.integer], active: NDArray[np.bool_] | None = None) -> Step:
        """Play one joint action in every active slot; InputError if the game goes on failing."""
        joint, moving = self._checked_step(actions, active)
        reward = np.zeros(self.n_environments)
        flags = np.zeros((4, self.n_environments), np.bool_)
        wanted = {slot: joint[slot].tolist() for slot in np.flatnonzero(moving).tolist()}
        records, lost = self._command("step", wanted)
        for slot, record in records.items():
            self._played[slot].append(wanted[slot])
            self._show(slot, record)
            reward[slot] = record["reward"]
            flags[:3, slot] = [record[flag] for flag in ("terminated", "truncated", "won")]
        flags[3, lost] = True
        self._is_over |= flags[[0, 1, 3]].any(0)
        return Step(reward, *flags)

    def close(self) -> None:
        """End all games and their processes."""
        for process in self._processes:
            process.close()
        self._processes = []

    def __del__(self) -> None:
        for process in self.__dict__.get("_processes", []):
            process.kill()

    def _command(
        self, command: str, wanted: Mapping[int, Any]
    ) -> tuple[dict[int, np.void], list[int]]:
        """Have every slot of `wanted` do it, all processes side by side.

        Returns what each shows, and the slots whose running episode has been lost.
        """
        shares = [
            {slot: wanted[slot] for slot in process.slots if slot in wanted}
            for process in self._processes
        ]
        records: dict[int, np.void] = {}
        lost: list[int] = []
        try:
            for process, share in zip(self._processes, shares, strict=True):
                if share:
                    process.ask(command, share)
            for number, share in enumerate(shares):
                if share:
                    records |= self._answer(number, command, share, lost)
        except BaseException:
            # Answers that nobody waited for would be taken for those to the next command.
            for process in self._processes:
                process.kill()
            raise
        return records, lost

    def _answer(
        self, number: int, command: str, share: dict[int, Any], lost: list[int]
    ) -> dict[int, np.void]:
        """What a process answers to a command that it has; or one that takes its place."""
        for attempt in range(1, _MOST_ATTEMPTS + 1):
            try:
                if attempt > 1:
                    self._replace(number)
                    if command == "step" and not self._replays_exactly:
                        lost += share
                        return {}
                    self._processes[number].ask(command, share)
                return self._records(self._processes[number], command, share)
            except BreakdownError as breakdown:
                self._note(command, share, str(breakdown))
                reason = str(breakdown)
        raise InputError(
            f"broke down {_MOST_ATTEMPTS} times in a row; at last it "
            f"{shortened(' '.join(reason.split()), _LONGEST_REASON)}",
            where=f"the game behind {self.info.name}",
            cure="see what it printed before, and what `cadp-suite doctor` says of it",
        )

    def _records(
        self, process: EngineProcess, command: str, share: dict[int, Any]
    ) -> dict[int, np.void]:
        each = self._patience.reset if command == "reset" else self._patience.step
        process.wait_for_start(self._patience.start)
        told = np.frombuffer(process.answer(each * len(share)), self._shown)
        return dict(zip(share, told, strict=True))

    def _start(self, slots: Sequence[int]) -> EngineProcess:
        try:
            return EngineProcess(self._blueprint, self._shown, slots)
        except OSError as error:  # too many files are open, or processes; no memory
            raise InputError(
                f"no process can be started for it ({error.strerror})",
                where=f"the game behind {self.info.name}",
                cure="end other programs, or use fewer workers",
            ) from None

    def _replace(self, number: int) -> None:
        """Put a new process in the place of one; BreakdownError if that breaks down as well."""
        old = self._processes[number]
        old.kill()
        self.n_breakdowns += 1
        self._processes[number] = process = self._start(old.slots)
        for slot in process.slots:
            if not self._is_over[slot] and self._replays_exactly:
                self._lead_back(process, slot)

    def _lead_back(self, process: EngineProcess, slot: int) -> None:
        """Have a new engine play the episode of a slot up to now."""
        process.ask("reset", {slot: self._seed[slot]})
        record = self._records(process, "reset", {slot: None})[slot]
        for actions in self._played[slot]:
            process.ask("step", {slot: actions})
            record = self._records(process, "step", {slot: None})[slot]
        for name in ("observations", "state", "available_actions"):
            if record[name].tobytes() != getattr(self, name)[slot].tobytes():
                raise InputError(
                    f"started again, it does not play the same ({name} differ)",
                    where=f"the game behind {self.info.name}",
                    cure="report it with the output of `cadp-suite doctor --json`",
                )

    def _retire_processes(self, wanted: Mapping[int, Any]) -> None:
        """New processes for those with enough episodes, of which none is running."""
        for number, process in enumerate(self._processes):
            process.n_episodes += sum(slot in wanted for slot in process.slots)
            has_enough = self._most_episodes and process.n_episodes > self._most_episodes
            if has_enough and self._is_over[process.slots].all():
                process.close()
                self._processes[number] = self._start(process.slots)

    def _show(self, slot: int, record: np.void) -> None:
        self.observations[slot] = record["observations"]
        self.state[slot] = record["state"]
        self.available_actions[slot] = record["available_actions"]

    def _note(self, command: str, share: dict[int, Any], reason: str) -> None:
        steps = ", ".join(str(len(self._played[slot])) for slot in share)
        at = f"after step {steps} of its episode" if command == "step" else "at a reset"
        reason = shortened(" ".join(reason.split()), _LONGEST_REASON)
        self._tell(f"{self.info.name}: a process of the game {reason} {at}")


def _to_standard_error(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
