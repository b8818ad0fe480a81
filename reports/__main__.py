"""The command `cadp-report`, also as `python -m reports`; `reports.cli` says what it can do."""

import sys


def main() -> None:
    """Leave with the command's exit code; whatever goes wrong is one line on standard error."""
    try:
        # Here, so that Ctrl-C is answered without a traceback also while this is imported.
        from suite.command_line import run_command

        left = "no file was changed"
        code = run_command("reports.cli", "cadp-report", interrupted=left)
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    main()
