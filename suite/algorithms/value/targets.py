"""What joint values learn towards: one step and a bootstrap value, or a λ-return."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from suite.algorithms.batch import EpisodeBatch
from suite.algorithms.losses.returns import q_lambda_target, td_lambda_target
from suite.algorithms.losses.td import td_target
from suite.algorithms.rows import Rows
from suite.algorithms.value.settings import ValueSettings


def returns(
    settings: ValueSettings,
    batch: EpisodeBatch,
    rows: Rows,
    is_real: Tensor,
    q_next: Tensor,
    q_taken: Callable[[], Tensor],
) -> Tensor:
    """Targets (P, M, K) of the transitions, as `settings.returns` names them; no gradient.

    is_real (P, M) bool: `transition_mask`. q_next (P, M, K): target values of greedy actions after
    the transitions. q_taken: gives the target values (P, M, K) of the actions taken; called for
    "q_lambda" only.
    """
    reward, ended = rows.of_transitions(batch.reward), rows.of_transitions(batch.terminated)
    match settings.returns:
        case "one_step":
            return td_target(reward, ended, q_next, settings.gamma)
        case "td_lambda":
            return td_lambda_target(
                rows, reward, ended, is_real, q_next, settings.gamma, settings.trace_decay
            )
        case "q_lambda":
            return q_lambda_target(
                rows,
                reward,
                ended,
                is_real,
                q_next,
                q_taken(),
                settings.gamma,
                settings.trace_decay,
            )
