"""The command line: groups the verbs, prints errors of ours as panels, and sets the exit code.

0 done · 1 TwinlensError · 2 usage · 130 Ctrl-C.
"""

import sys
import traceback

import click

from twinlens import __version__, console
from twinlens.errors import HostLimitError, TwinlensError
from twinlens.verbs import (
    calibrate,
    capture,
    dataset,
    evaluate,
    everything,
    exchange,
    experiment,
    restore,
    rig,
    simulate,
    train,
    verify,
)

SECTIONS: dict[str, list[click.Command]] = {
    "Capture": [rig.cameras, rig.doctor, simulate.simulate, capture.capture],
    "Calibrate": [calibrate.calibrate],
    "Dataset": [dataset.build, dataset.append, dataset.derive, dataset.split, exchange.export, exchange.import_],
    "Restore": [train.train, evaluate.evaluate, restore.restore],
    "The whole street": [everything.demo, experiment.experiment, everything.info, verify.verify],
}


class _Street(click.Group):
    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        for section, commands in SECTIONS.items():
            with formatter.section(section):
                formatter.write_dl([(str(c.name), c.get_short_help_str(90)) for c in commands])


@click.group(cls=_Street, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="twinlens")
@click.option("-v", "--verbose", is_flag=True, help="Show tracebacks and debug messages.")
def street(*, verbose: bool) -> None:
    """Two cameras, one scene: capture, registration, paired datasets and restoration."""
    if verbose:
        import logging  # noqa: PLC0415 - only when asked for

        logging.basicConfig(level=logging.DEBUG)


for _commands in SECTIONS.values():
    for _command in _commands:
        street.add_command(_command)


def main() -> None:
    """Entry point of the `twinlens` command."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one verb; the exit code."""
    try:
        street.main(arguments, prog_name="twinlens", standalone_mode=False)
    except TwinlensError as error:
        if "-v" in arguments or "--verbose" in arguments:
            traceback.print_exception(error)
        console.show_error(error)
        return 1
    except OSError as error:
        # What the library reads it wraps; what is left is an output that cannot be written.
        what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        console.show_error(HostLimitError(what, hint="check that the folder is writable and its disk has room"))
        return 1
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        console.note("stopped by Ctrl-C; recorded pairs and trained steps are kept")
        return 130
    return 0
