"""The command `cadp-report`. Packages that take long to import are imported by what needs them."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from suite import __version__
from suite.command_line import run_command
from suite.errors import InputError

_HELP = """Turn recorded runs into a report that says, claim by claim, what was reproduced.

First train something with `cadp-suite run STUDY`; then give the same study file here. A report may
be built at any time, also while runs are under way: it says what is missing.

Examples:

  cadp-report build studies/reproduce_smac.toml

  cadp-report build studies/reproduce_smac.toml --profile smoke --output smoke.html

  cadp-report export studies/reproduce_smac.toml --output results.json

  cadp-report compare studies/reproduce_smac.toml --against other-machine/runs

Nothing is trained and nothing recorded is changed. Exit codes: 0 done, 2 bad input, 130
interrupted.
"""

app = typer.Typer(
    help=_HELP,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

StudyPath = Annotated[
    Path, typer.Argument(metavar="STUDY", help="Study file, e.g. studies/reproduce_smac.toml.")
]
ProfileName = Annotated[
    str | None, typer.Option("--profile", help="Size of the study; the study names its default.")
]
RunsDir = Annotated[Path, typer.Option("--runs-dir", help="Where the records are.")]


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
    output: Annotated[
        Path | None,
        typer.Option(help="The HTML file; default: RUNS_DIR/reports/STUDY-PROFILE.html."),
    ] = None,
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
        print("cadp-report: the paper's curves are not installed; left out", file=sys.stderr)
    path = output or runs_dir / "reports" / f"{data.study}-{data.profile}.html"
    write_atomically(path, build_html(data, reference, load_replays(data, runs_dir)))
    print(path.resolve())


@app.command()
def export(
    study: StudyPath,
    profile: ProfileName = None,
    runs_dir: RunsDir = Path("runs"),
    output: Annotated[
        Path | None, typer.Option(help="The JSON file; default: RUNS_DIR/reports/….json.")
    ] = None,
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
        print(f"cadp-report: left out, no evidence: {told(run)}", file=sys.stderr)
    print(path.resolve())


@app.command()
def compare(
    study: StudyPath,
    against: Annotated[Path, typer.Option(help="The other runs directory.")],
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
    print(table(rows, str(runs_dir), str(against)))
    if beware := notes(ours, theirs, rows):
        print("\n" + "\n".join(beware))


def main() -> None:
    """Entry point: every expected error is one line on standard error and an exit code."""
    sys.exit(run_command(app, "cadp-report", interrupted="no file was changed"))


def _refuse_directory(output: Path | None) -> None:
    """Found before minutes of work, not after."""
    if output is not None and output.is_dir():
        cure = f"name a file in it, e.g. {output / 'report.html'}"
        raise InputError("is a directory", where="--output", value=str(output), cure=cure)


if __name__ == "__main__":
    main()
