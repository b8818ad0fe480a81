"""How far a study whose seeds are added look by look has got: what a scheduler asks between looks.

It sees what the report sees (`evidence.weigh`, `claims.judge`), so the two cannot disagree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from reports.claims import ClaimResult, judge
from reports.data import ReportData
from reports.evidence import complete_looks, weigh
from reports.load import view
from reports.series import win_rates
from suite.records.sources import FoundRun
from suite.study.plan import Plan


@dataclass(frozen=True)
class Judgement:
    """What the complete looks say.

    look: number of complete looks, of `n_looks`. n_seeds: that they have, in every trial.
    undecided: names of the primary claims that this profile can test and that are not decided.
    """

    look: int
    n_looks: int
    n_seeds: int
    undecided: tuple[str, ...]

    @property
    def is_over(self) -> bool:
        """Whether no further look is needed, or none is left."""
        return self.look == self.n_looks or (self.look > 0 and not self.undecided)


def judgement(plan: Plan, records: Mapping[str, FoundRun]) -> Judgement:
    """Whether the plan's next look is needed. records: by run id, and may be absent.

    A list of seeds is one look.
    """
    data = weigh(view(plan, dict(records)))
    return summed_up(data, judge(data, win_rates(data, ())))


def summed_up(data: ReportData, claims: Iterable[ClaimResult]) -> Judgement:
    """The judgement on a weighed study whose claims are judged."""
    looks = complete_looks(data)
    return Judgement(
        look=len(looks),
        n_looks=max(1, len(data.looks)),
        n_seeds=len(looks[-1]) if looks else 0,
        undecided=tuple(one.claim.name for one in claims if one.verdict == "undecided"),
    )
