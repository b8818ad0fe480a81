"""The command `cadp-report`. Packages that take long to import are imported by what needs them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from reports.__main__ import main
from suite import __version__
from suite.command_line import EXIT_BAD_INPUT
from suite.memory import require_address_space
from suite.options import BackendName, ProfileName, StudyPath, path_from, product_path
from suite.printing import make_console, say
from suite.runs.directory import RunsDirectory
from suite.text import visible

# With less, pandas and matplotlib fail in C while they are imported (measured, Linux on x86-64).
_ADDRESS_SPACE = 600_000_000

_HELP = """Turn recorded runs into a report that says, claim by claim, what was reproduced.

First train something with `cadp-suite run STUDY`; then give the same study file here. A report may
be built at any time, also while runs are under way: it says what is missing.

Examples:

  cadp-report build studies/reproduce_smac.toml

  cadp-report build studies/reproduce_smac.toml --profile smoke --output smoke.html

  cadp-report export studies/reproduce_smac.toml --output results.json

  cadp-report compare studies/reproduce_smac.toml --against other-machine/runs

  cadp-report build studies/reproduce_smac.toml --runs-dir runs --runs-dir server.pack

Nothing is trained and nothing recorded is changed. Exit codes: 0 done, 2 bad input, 70 a
fault of the program, 130 interrupted.
"""

app = typer.Typer(
    help=_HELP,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

HtmlFile = Annotated[
    Path | None,
    typer.Option(
        "--output",
        parser=path_from("--output"),
        metavar="PATH",
        help="The HTML file; default: RUNS_DIR/reports/STUDY-PROFILE.html.",
    ),
]
JsonFile = Annotated[
    Path | None,
    typer.Option(
        "--output",
        parser=path_from("--output"),
        metavar="PATH",
        help="The JSON or CSV file; default: RUNS_DIR/reports/….json.",
    ),
]


Places = Annotated[
    list[Path],
    typer.Option(
        "--runs-dir",
        parser=path_from("--runs-dir"),
        metavar="PATH",
        help="Where records are: a runs directory, a pack that `cadp-suite export` wrote, or a "
        "folder of packs. Give it again for more: together they are one.",
    ),
]
RUNS = [Path("runs")]


class ExportFormat(StrEnum):
    """What `export` can write."""

    CADP = "cadp"
    MARL_EVAL = "marl-eval"
    POINTS = "points"


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and leave.")
    ] = False,
) -> None:
    if version:
        print(f"cadp-report {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help(), file=sys.stderr)
        raise typer.Exit(EXIT_BAD_INPUT)


@app.command()
def build(
    study: StudyPath,
    profile: ProfileName = None,
    backend: BackendName = None,
    runs_dir: Places = RUNS,
    output: HtmlFile = None,
) -> None:
    """Build the HTML report: one file that needs no network. Prints its path.

    Battles that `cadp-suite watch` has written to RUNS_DIR/replays are shown, one per scenario.

    Example: cadp-report build studies/reproduce_smac.toml --profile quick
    """
    from reports.build import build_html
    from reports.load import load_report_data
    from reports.reference import default_directory, load_reference
    from reports.replays import load_replays
    from suite.disk import write_atomically

    require_address_space(_ADDRESS_SPACE, "building a report")
    output = None if output is None else product_path(output, ".html", study)
    data = load_report_data(study, profile, runs_dir, backend)
    directory = default_directory()
    reference = None if directory is None else load_reference(directory)
    if reference is None:
        say(make_console(), "cadp-report: the paper's curves are not installed; left out")
    path = output or _report_path(runs_dir, f"{data.study}-{data.profile}.html")
    write_atomically(path, build_html(data, reference, load_replays(data, *runs_dir)))
    say(make_console(standard_output=True), str(path.resolve()))


@app.command()
def export(
    study: StudyPath,
    profile: ProfileName = None,
    backend: BackendName = None,
    runs_dir: Places = RUNS,
    output: JsonFile = None,
    kind: Annotated[
        ExportFormat,
        typer.Option(
            "--format",
            help="cadp: with provenance. marl-eval: for that package. points: those of searches, "
            "as CSV.",
        ),
    ] = ExportFormat.CADP,
) -> None:
    """Write every run's test results as JSON, or points of searches as CSV. Prints its path.

    reference_results/ours/README.md describes the file.
    """
    from reports.evidence import left_out, told, weigh
    from reports.export import as_json, marl_eval_document, points_table, results_document
    from reports.load import load_report_data
    from suite.disk import write_atomically

    ending = ".csv" if kind == "points" else ".json"
    output = None if output is None else product_path(output, ending, study)
    data = weigh(load_report_data(study, profile, runs_dir, backend))
    if kind == "points":
        text = points_table(data)
    else:
        text = as_json(marl_eval_document(data) if kind == "marl-eval" else results_document(data))
    name = f"{data.study}-{data.profile}{'' if kind == 'cadp' else f'-{kind.value}'}{ending}"
    path = output or _report_path(runs_dir, name)
    write_atomically(path, text)
    for run in left_out(data):
        say(make_console(), f"cadp-report: left out, no evidence: {told(run)}")
    say(make_console(standard_output=True), str(path.resolve()))


@app.command()
def compare(
    study: StudyPath,
    against: Annotated[
        list[Path],
        typer.Option(
            parser=path_from("--against"),
            metavar="PATH",
            help="The other runs directory, pack or folder of packs; again for more.",
        ),
    ],
    profile: ProfileName = None,
    backend: BackendName = None,
    runs_dir: Places = RUNS,
) -> None:
    """Compare the results of one study from two runs directories or packs, as a table.

    Example: did a new version or another machine change anything?
    """
    from reports.compare import comparison, notes, table
    from reports.load import load_report_data

    ours, theirs = (
        load_report_data(study, profile, places, backend) for places in (runs_dir, against)
    )
    rows = comparison(ours, theirs)
    a, b = (visible(", ".join(map(str, places))) for places in (runs_dir, against))
    text = table(rows, a, b)
    console = make_console(standard_output=True)
    for line in [*text.split("\n"), *notes(ours, theirs, rows)]:
        say(console, line)


def _report_path(places: Sequence[Path], name: str) -> Path:
    """In the first runs directory; where there are only packs, beside the first."""
    folders = [place if place.is_dir() else place.parent for place in places]
    holders = [one for one in folders if RunsDirectory(one).records_path.exists()]
    return RunsDirectory([*holders, *folders][0]).report_path(name)


if __name__ == "__main__":
    main()
