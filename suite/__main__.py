"""The command `cadp-suite`, also as `python -m suite`; `suite.cli` says what it can do."""

import sys


def main() -> None:
    """Leave with the command's exit code; whatever goes wrong is one line on standard error."""
    try:
        # Here, so that Ctrl-C is answered without a traceback also while this is imported.
        from suite.command_line import run_command

        left = "finished runs are stored, the same command continues the others"
        code = run_command("suite.cli", "cadp-suite", interrupted=left)
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    main()
