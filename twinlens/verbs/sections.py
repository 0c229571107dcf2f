"""Options in sections, for a verb that has too many for one list."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

REST = "Other"


class SectionedOption(click.Option):
    """An option that knows under which heading `--help` lists it."""

    def __init__(self, *args: Any, section: str = REST, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.section = section


class SectionedCommand(click.Command):
    """A verb whose `--help` lists its options section by section, in the order they are written."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one list per section."""
        lists: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                lists.setdefault(getattr(parameter, "section", REST), []).append(record)
        for section, records in lists.items():
            with formatter.section(section):
                formatter.write_dl(records)


def options_of(section: str) -> Callable[..., Callable[[F], F]]:
    """Like `click.option`, for one section."""

    def option(*names: str, **kwargs: Any) -> Callable[[F], F]:
        return click.option(*names, cls=SectionedOption, section=section, **kwargs)

    return option
