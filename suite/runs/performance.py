"""The final performance of a run: one number from its tests, the same wherever it is asked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# The convention of the paper's digitised figures: mean over the last 10 % of training steps.
FINAL_FRACTION = 0.1


@dataclass(frozen=True)
class FinalPerformance:
    """value: mean of the tests in the last tenth of training, in the unit of the tests.

    n_tests: how many they were; 0 where none fell there, and the value is then the last test's.
    """

    value: float
    n_tests: int


def final_performance(
    steps: NDArray[np.integer | np.floating], values: NDArray[np.float64], total_env_steps: int
) -> FinalPerformance:
    """Final performance of one run.

    steps, values: (tests,) ascending training environment steps and results; one test or more.
    """
    final = values[steps > (1 - FINAL_FRACTION) * total_env_steps]
    return FinalPerformance(float((final if len(final) else values[-1:]).mean()), len(final))
