"""The command `cadp-report`. Packages that take long to import are imported by what needs them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from reports.__main__ import main
from suite import __version__
from suite.errors import InputError
from suite.options import ProfileName, RunsDir, StudyPath, path_from
from suite.printing import make_console, say
from suite.text import visible

_HELP = """Turn recorded runs into a report that says, claim by claim, what was reproduced.

First train something with `cadp-suite run STUDY`; then give the same study file here. A report may
be built at any time, also while runs are under way: it says what is missing.

Examples:

  cadp-report build studies/reproduce_smac.toml

  cadp-report build studies/reproduce_smac.toml --profile smoke --output smoke.html

  cadp-report export studies/reproduce_smac.toml --output results.json

  cadp-report compare studies/reproduce_smac.toml --against other-machine/runs

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
        help="The JSON file; default: RUNS_DIR/reports/….json.",
    ),
]


class ExportFormat(StrEnum):
    """What `export` can write."""

    CADP = "cadp"
    MARL_EVAL = "marl-eval"


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
        print(context.get_help())


@app.command()
def build(
    study: StudyPath,
    profile: ProfileName = None,
    runs_dir: RunsDir = Path("runs"),
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

    _refuse_directory(output)
    data = load_report_data(study, profile, runs_dir)
    directory = default_directory()
    reference = None if directory is None else load_reference(directory)
    if reference is None:
        say(make_console(), "cadp-report: the paper's curves are not installed; left out")
    path = output or runs_dir / "reports" / f"{data.study}-{data.profile}.html"
    write_atomically(path, build_html(data, reference, load_replays(data, runs_dir)))
    say(make_console(standard_output=True), str(path.resolve()))


@app.command()
def export(
    study: StudyPath,
    profile: ProfileName = None,
    runs_dir: RunsDir = Path("runs"),
    output: JsonFile = None,
    kind: Annotated[
        ExportFormat,
        typer.Option("--format", help="cadp: with provenance. marl-eval: for that package."),
    ] = ExportFormat.CADP,
) -> None:
    """Write every run's test results as JSON, to share or to keep. Prints its path.

    reference_results/ours/README.md describes the file.
    """
    from reports.evidence import left_out, told, weigh
    from reports.export import as_json, marl_eval_document, results_document
    from reports.load import load_report_data
    from suite.disk import write_atomically

    _refuse_directory(output)
    data = weigh(load_report_data(study, profile, runs_dir))
    document = marl_eval_document(data) if kind == "marl-eval" else results_document(data)
    name = f"{data.study}-{data.profile}{'' if kind == 'cadp' else '-marl-eval'}.json"
    path = output or runs_dir / "reports" / name
    write_atomically(path, as_json(document))
    for run in left_out(data):
        say(make_console(), f"cadp-report: left out, no evidence: {told(run)}")
    say(make_console(standard_output=True), str(path.resolve()))


@app.command()
def compare(
    study: StudyPath,
    against: Annotated[
        Path,
        typer.Option(
            parser=path_from("--against"), metavar="PATH", help="The other runs directory."
        ),
    ],
    profile: ProfileName = None,
    runs_dir: RunsDir = Path("runs"),
) -> None:
    """Compare the results of one study from two runs directories, as a table.

    Example: did a new version or another machine change anything?
    """
    from reports.compare import comparison, notes, table
    from reports.load import load_report_data

    ours, theirs = (load_report_data(study, profile, place) for place in (runs_dir, against))
    rows = comparison(ours, theirs)
    text = table(rows, visible(str(runs_dir)), visible(str(against)))
    console = make_console(standard_output=True)
    for line in [*text.split("\n"), *notes(ours, theirs, rows)]:
        say(console, line)


def _refuse_directory(output: Path | None) -> None:
    """Found before minutes of work, not after."""
    if output is not None and output.is_dir():
        cure = f"name a file in it, e.g. {output / 'report.html'}"
        raise InputError("is a directory", where="--output", value=str(output), cure=cure)


if __name__ == "__main__":
    main()
