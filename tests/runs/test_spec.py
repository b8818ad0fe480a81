"""A run is its content: ids of copies; what an id depends on is tested with plans."""

from __future__ import annotations

import copy
import pickle

from suite.study.load import load_study
from suite.study.plan import expand


def test_a_copy_with_other_values_has_another_id(make_study) -> None:
    run = expand(load_study(make_study())).runs[0]
    assert run.run_id == run.model_copy().run_id == copy.deepcopy(run).run_id
    other = run.model_copy(update={"seed": 77})
    assert other.run_id != run.run_id
    assert other.run_id == type(run).model_validate_json(other.model_dump_json()).run_id


def test_a_run_whose_id_is_known_is_the_same_run(make_study) -> None:
    """The id is kept once it is worked out; neither equality nor what is stored knows of it."""
    plan = expand(load_study(make_study()))
    run, twin = plan.runs[0], expand(load_study(make_study())).runs[0]
    assert run.run_id
    assert run == twin
    assert run.model_dump_json() == twin.model_dump_json()
    assert pickle.loads(pickle.dumps(run)) == twin
