"""Options that several verbs share."""

from pathlib import Path

import click

folder = click.Path(exists=True, file_okay=False, path_type=Path)
existing = click.Path(exists=True, path_type=Path)
as_json = click.option("--json", is_flag=True, help="Print the report itself as JSON.")
rig_file = click.option(
    "--rig",
    type=click.Path(path_type=Path),
    default=Path("rig.toml"),
    show_default=True,
    help="The rig's settings.",
)
