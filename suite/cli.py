"""The command `cadp-suite`. Packages that take long to import are imported by what needs them."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Collection
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from suite import __version__
from suite.__main__ import main
from suite.command_line import EXIT_BAD_INPUT
from suite.errors import InputError
from suite.memory import require_address_space
from suite.options import (
    BackendName,
    EpisodeSeed,
    ModeName,
    OptionalStudyPath,
    PolicyName,
    ProfileName,
    RunsDir,
    StudyPath,
    number_from,
    path_from,
    product_path,
)

if TYPE_CHECKING:
    from suite.scheduling.proposers.sequential import Judgement
    from suite.study.plan import Plan


# With less, numba and torch abort or hang in C (measured, Linux on x86-64).
_WATCHING_ADDRESS_SPACE = 800_000_000
_TRAINING_ADDRESS_SPACE = 1_600_000_000

_HELP = """Train and compare CADP and its baselines, reproducibly.

A study is a TOML file that says what is trained: scenarios, arms (algorithms), seeds, budgets. A
profile is a part or size of it; studies/reproduce_smac.toml has smoke (a minute), quick, paper,
mappo and tuned. docs/studies.md says what a study may say.

Examples:

  cadp-suite doctor

  cadp-suite plan studies/reproduce_smac.toml --profile quick

  cadp-suite run studies/reproduce_smac.toml --profile smoke

  cadp-suite status studies/reproduce_smac.toml --profile smoke

  cadp-suite watch 3m --policy nearest

  cadp-suite evaluate 3m --policy nearest

  cadp-suite export studies/reproduce_smac.toml

Everything runs on this machine, without StarCraft, GPU or server. `run` may be stopped with Ctrl-C
(or killed) at any time: the same command continues where it was. It ends by naming the command
that makes the report.

Exit codes: 0 done, 1 some runs failed, 2 bad input or configuration, 70 a fault of the program, 130
interrupted.
"""


class IfChanged(StrEnum):
    """As `suite.scheduling.recovery.IfChanged`, for the command line."""

    REFUSE = "refuse"
    RESTART = "restart"
    CONTINUE = "continue"


class IfDifferent(StrEnum):
    """As `suite.transfer.IfDifferent`, for the command line."""

    REFUSE = "refuse"
    KEEP = "keep"


app = typer.Typer(
    help=_HELP,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]
Workers = Annotated[
    str | None,
    typer.Option(metavar="N", help="Training processes side by side; default: all cores."),
]


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and leave.")
    ] = False,
) -> None:
    if version:
        print(f"cadp-suite {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help(), file=sys.stderr)
        raise typer.Exit(EXIT_BAD_INPUT)


@app.command()
def plan(
    study: StudyPath,
    profile: ProfileName = None,
    backend: BackendName = None,
    workers: Workers = None,
    runs_dir: RunsDir = Path("runs"),
    as_json: Json = False,
) -> None:
    """Show what a study would train, on what, and for how long; trains nothing.

    The estimate is of what is not finished in the runs directory, which need not exist.

    Example: cadp-suite plan studies/reproduce_smac.toml --profile paper
    """
    from suite.overview import plan_document, print_header, print_trials
    from suite.printing import make_console, print_json
    from suite.runs.directory import RunsDirectory
    from suite.scheduling.capacity import n_workers
    from suite.scheduling.recovery import finished_runs
    from suite.study.cost import estimate

    expanded = _expanded(study, profile, backend, runs_dir)
    finished = finished_runs(RunsDirectory(runs_dir)).whole
    cost = estimate(expanded, n_workers(workers, expanded), without=finished)
    if as_json:
        print_json(plan_document(expanded, cost))
    else:
        console = make_console(standard_output=True)
        print_header(console, expanded, cost)
        print_trials(console, expanded)


@app.command()
def run(
    study: StudyPath,
    profile: ProfileName = None,
    backend: BackendName = None,
    workers: Workers = None,
    runs_dir: RunsDir = Path("runs"),
    device: Annotated[
        str, typer.Option(help="Where networks are trained: cpu, cuda, cuda:N or mps.")
    ] = "cpu",
    if_changed: Annotated[
        IfChanged,
        typer.Option(
            help="What to do with interrupted runs that other code or library versions began: "
            "refuse, train them anew, or continue them knowingly (the report flags them)."
        ),
    ] = IfChanged.REFUSE,
) -> None:
    """Train every run of a study that is not finished yet, and record it.

    Finished runs are never repeated; failed ones are tried again. Ctrl-C stops, the same command
    continues; a terminal that closes does not stop it.

    Example: cadp-suite run studies/reproduce_smac.toml --profile quick --workers 2
    """
    require_address_space(_TRAINING_ADDRESS_SPACE, "training")
    from suite.overview import print_header
    from suite.printing import make_console, say
    from suite.scheduling.capacity import n_workers, require_device, require_memory
    from suite.scheduling.coordinator import run_plan
    from suite.scheduling.display import make_display
    from suite.study.cost import estimate
    from suite.text import plural

    expanded = _expanded(study, profile, backend, runs_dir)
    require_device(device)
    n, console = n_workers(workers, expanded), make_console()
    require_memory(workers, n, expanded)

    def announce(finished: Collection[str]) -> None:
        print_header(console, expanded, estimate(expanded, n, without=finished))

    def judge(plan: Plan) -> Judgement:
        from reports.looks import judgement
        from suite.records.sources import gather

        return judgement(plan, gather([runs_dir], {run.run_id for run in plan.runs}))

    outcome = run_plan(
        expanded,
        runs_dir,
        n,
        make_display(console),
        device=device,
        judge=judge,
        announce=announce,
        if_changed=if_changed.value,
    )
    n_ended = len(outcome.finished)
    before = len(outcome.finished_before)
    ended = plural(n_ended, "run")
    pruned = f", {len(outcome.pruned)} pruned" if outcome.pruned else ""
    say(console, f"{ended} finished, {before} were already, {len(outcome.failed)} failed{pruned}")
    for failure in outcome.failed:
        spec = failure.spec
        say(console, f"failed: {spec.scenario} {spec.arm} seed {spec.seed}: {failure.reason}")
    if outcome.failed:
        cure = "mend what the lines say, then give the same command again"
        if all(failure.exit_code == 1 for failure in outcome.failed):
            cure = "the same command tries the failed runs again"
        say(console, f"{cure}; `status --json` has their tracebacks")
    command = _report_command(study, expanded.profile_name, backend, runs_dir)
    say(console, f"the report is made by: {command}")
    if outcome.failed:
        raise typer.Exit(max(failure.exit_code for failure in outcome.failed))


@app.command()
def status(
    study: StudyPath,
    profile: ProfileName = None,
    backend: BackendName = None,
    runs_dir: RunsDir = Path("runs"),
    as_json: Json = False,
    is_followed: Annotated[
        bool, typer.Option("--follow", help="Show it again whenever it has changed.")
    ] = False,
) -> None:
    """Show how far a study has got: which runs are finished, failed, running or waiting.

    With --follow it is shown again whenever it has changed, until the coordinator has ended.

    Example: cadp-suite status studies/reproduce_smac.toml --profile quick
    """
    from suite.printing import make_console, print_json
    from suite.status import follow, print_status, status_document

    def look() -> dict[str, Any]:
        return status_document(_expanded(study, profile, backend, runs_dir), runs_dir)

    console = make_console(standard_output=True)

    def show(document: dict[str, Any]) -> None:
        if as_json:
            print_json(document, in_one_line=is_followed)
            return
        if is_followed and console.is_terminal:
            console.clear()
        print_status(console, document)

    if is_followed:
        follow(look, show)
    else:
        show(look())


@app.command()
def watch(
    scenario: Annotated[
        str, typer.Argument(metavar="SCENARIO", help="A map of skirmish, e.g. 3m or skirmish/MMM.")
    ],
    policy: PolicyName = "nearest",
    mode: ModeName = None,
    seed: EpisodeSeed = 0,
    output: Annotated[
        Path | None,
        typer.Option(
            parser=path_from("--output"),
            metavar="PATH",
            help="The HTML file; default: RUNS_DIR/replays/SCENARIO-POLICY-seedN.html.",
        ),
    ] = None,
    runs_dir: RunsDir = Path("runs"),
) -> None:
    """Play one battle and write it as a page to watch in a browser. Prints its path.

    The page is one file that needs no network; docs/watch.md says what it shows. `status --json`
    lists the ids of runs. It is the simulator skirmish that is shown, not StarCraft II.

    Example: cadp-suite watch 5m_vs_6m --policy nearest --seed 3
    """
    require_address_space(_WATCHING_ADDRESS_SPACE, "a battle")
    from suite.disk import write_atomically
    from suite.environments import backend_of, full_name
    from suite.replays.files import replay_path

    if output is not None:
        output = product_path(output, ".html")
    full = full_name(scenario, where="SCENARIO")
    if not backend_of(full).is_battle:
        _refuse_other_backends(scenario)

    from suite.printing import make_console, say
    from suite.replays.html import render
    from suite.replays.recording import battle_called, record

    battle = battle_called(full)

    recording = record(battle, policy, seed, runs_dir, mode)
    path = output or replay_path(runs_dir, battle.name, recording.policy.name, seed)
    write_atomically(path, render(recording))
    say(make_console(standard_output=True), str(path.resolve()))


@app.command()
def evaluate(
    scenario: Annotated[
        str, typer.Argument(metavar="SCENARIO", help="Any scenario, e.g. 3m or matrix/climbing.")
    ],
    policy: PolicyName,
    mode: ModeName = None,
    episodes: Annotated[
        int,
        typer.Option(parser=number_from(1, 10**6), metavar="N", help="How many are played."),
    ] = 200,
    seed: EpisodeSeed = 0,
    runs_dir: RunsDir = Path("runs"),
    as_json: Json = False,
) -> None:
    """Play episodes greedily and print win rate, return and length with their 95 % intervals.

    Episodes are others than any run was trained or tested on; the same seed gives the same ones,
    whoever plays. `status --json` lists the ids of runs.

    Example: cadp-suite evaluate 3m --policy nearest --episodes 500
    """
    require_address_space(_TRAINING_ADDRESS_SPACE, "an evaluation")
    from suite.environments import full_name
    from suite.evaluation import evaluation_document, print_evaluation, progress_shown
    from suite.policies import find_policy
    from suite.policies.evaluation import estimates, evaluation_seeds, play_episodes
    from suite.printing import make_console, print_json

    full = full_name(scenario, where="SCENARIO")
    found = find_policy(policy, full, runs_dir, seed=seed, mode=mode)
    with progress_shown(make_console(), episodes) as tell:
        outcomes = play_episodes(full, found, evaluation_seeds(seed, episodes), tell)
    document = evaluation_document(full, found, episodes, seed, estimates(full, outcomes))
    if as_json:
        print_json(document)
    else:
        print_evaluation(make_console(standard_output=True), document)


@app.command()
def export(
    study: OptionalStudyPath = None,
    profile: ProfileName = None,
    backend: BackendName = None,
    runs_dir: RunsDir = Path("runs"),
    output: Annotated[
        Path | None,
        typer.Option(
            parser=path_from("--output"),
            metavar="PATH",
            help="The pack; default: RUNS_DIR/packs/STUDY-PROFILE.pack.",
        ),
    ] = None,
    weights: Annotated[
        bool, typer.Option("--weights", help="Pack the final networks of finished runs too.")
    ] = False,
) -> None:
    """Pack a study's finished and failed runs, or all of RUNS_DIR, into one checked file.

    Prints its path. `import` takes it over elsewhere, `cadp-report build` reads it as it is;
    docs/records.md says what is in it.

    Example: cadp-suite export studies/reproduce_smac.toml --profile quick --weights
    """
    if weights:
        require_address_space(_TRAINING_ADDRESS_SPACE, "checking weights")
    from suite.printing import make_console, say
    from suite.records.packs import SUFFIX
    from suite.runs.directory import RunsDirectory
    from suite.transfer import export_runs

    run_ids, name = None, "all"
    if study is not None:
        expanded = _expanded(study, profile, backend, runs_dir)
        run_ids = {run.run_id for run in expanded.runs}
        name = f"{expanded.study.name}-{expanded.profile_name}"
    elif profile is not None or backend is not None:
        option = "--profile" if profile is not None else "--backend"
        cure = "name the study it is of, or leave it out to pack every run"
        raise InputError("no study is named", where=option, value=profile or backend, cure=cure)
    path = RunsDirectory(runs_dir).pack_path(f"{name}{SUFFIX}")
    if output is not None:
        path = product_path(output, SUFFIX, study)
    exported = export_runs(runs_dir, path, run_ids, with_weights=weights)
    for line in exported.told(with_weights=weights):
        say(make_console(), line)
    say(make_console(standard_output=True), str(path.resolve()))


@app.command("import")
def import_(
    packs: Annotated[
        list[Path],
        typer.Argument(parser=path_from("PACK"), metavar="PACK...", help="Files `export` wrote."),
    ],
    runs_dir: RunsDir = Path("runs"),
    if_different: Annotated[
        IfDifferent,
        typer.Option(
            help="What to do where a run is finished here with other results than in a pack: "
            "refuse the whole import, or keep what is here and take the rest."
        ),
    ] = IfDifferent.REFUSE,
) -> None:
    """Take the runs of packs over into RUNS_DIR; `run` does not train them again.

    All is checked before anything is written; what is finished here is never replaced. It may be
    killed at any time: the same command does the rest.

    Example: cadp-suite import laptop.pack server.pack
    """
    require_address_space(_TRAINING_ADDRESS_SPACE, "an import")
    from suite.printing import make_console, say
    from suite.transfer import import_packs

    console = make_console()
    imported = import_packs(
        packs, runs_dir, lambda line: say(console, line), if_different=if_different.value
    )
    for line in imported.told:
        say(console, line)


@app.command()
def doctor(as_json: Json = False) -> None:
    """Check this machine: packages, environments, GPUs, and known traps with their cures.

    Example: cadp-suite doctor
    """
    from suite.doctor import examine, print_report
    from suite.printing import make_console, print_json

    report = examine()
    if as_json:
        print_json(report)
    else:
        print_report(make_console(standard_output=True), report)
    if not report["is_usable"]:
        raise typer.Exit(EXIT_BAD_INPUT)


def _expanded(study: Path, profile: str | None, backend: str | None, runs_dir: Path) -> Plan:
    """The plan, with what was proposed for it in the runs directory."""
    from suite.records.proposals import with_proposals
    from suite.study.load import load_study
    from suite.study.plan import expand

    return with_proposals(expand(load_study(study, backend, profile), profile), runs_dir)


def _report_command(study: Path, profile: str, backend: str | None, runs_dir: Path) -> str:
    """What to type for the report of what has been trained."""
    name = f"./{study}" if str(study).startswith("-") else str(study)
    words = ["cadp-report", "build", name, "--profile", profile]
    if backend is not None:
        words += ["--backend", backend]
    if runs_dir != Path("runs"):
        words += ["--runs-dir", str(runs_dir)]
    return shlex.join(words)


def _refuse_other_backends(scenario: str) -> NoReturn:
    from suite.environments import backends

    able = {
        name: f"{name}/{one.scenarios()[0]}" for name, one in backends().items() if one.is_battle
    }
    cure = f"choose a scenario of {' or '.join(able)}, e.g. {' or '.join(able.values())}"
    raise InputError("only battles can be watched", where="SCENARIO", value=scenario, cure=cure)


if __name__ == "__main__":
    main()
