"""The heading over a study's runs: one MLflow run per study and profile, the parent of its runs.

It is there for people who look at MLflow's pages; it has no metrics, and readers of records do not
see it. A run that several studies share stands under the one that trained it last.
"""

from __future__ import annotations

from suite.records import layout
from suite.study.plan import Plan
from suite.text import shortened


def parent_name(plan: Plan) -> str:
    """`reproduce_smac/quick`, as Optuna's study is called."""
    return f"{plan.study.name}/{plan.profile_name}"


def parent_tags(plan: Plan) -> dict[str, str]:
    """What the study asks and how the profile deviates, as tags and as the page's description."""
    tags = {
        layout.STUDY_TAG: plan.study.name,
        layout.PROFILE_TAG: plan.profile_name,
        layout.QUESTION_TAG: plan.study.question,
        layout.DEVIATIONS_TAG: "\n".join(plan.deviations),
        layout.DESCRIPTION_TAG: _description(plan),
        layout.SOURCE_TAG: layout.SOURCE,
    }
    return {key: shortened(value, layout.LONGEST_TAG - 1) for key, value in tags.items()}


def _description(plan: Plan) -> str:
    """Markdown."""
    lines = [
        f"**{plan.study.question}**",
        f"Profile {plan.profile_name}: {plan.profile.description}",
    ]
    if plan.deviations:
        lines.append("Deviations:")
        lines.append("\n".join(f"- {one}" for one in plan.deviations))
    return "\n\n".join(lines)
