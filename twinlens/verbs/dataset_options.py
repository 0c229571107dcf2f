"""Options that build, append, derive and split share, and the settings made of them."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from twinlens import console
from twinlens.verbs.sections import options_of

if TYPE_CHECKING:
    from twinlens.dataset.limits import PassportLimits
    from twinlens.dataset.schemes import SplitSettings
    from twinlens.dataset.summary import DatasetReport
    from twinlens.engines import Engine
else:
    PassportLimits = SplitSettings = DatasetReport = Engine = Any  # importing them would make --help slow

F = TypeVar("F", bound=Callable[..., Any])

SPLITS, GATES, RUN = "Splits", "Gates", "Run"
_split, _gate, _run = options_of(SPLITS), options_of(GATES), options_of(RUN)

out_file = click.Path(path_type=Path, dir_okay=False)

_ASSIGN = _split(
    "--assign", multiple=True, metavar="SCENE=SPLIT", help="Pin a scene to train, val or test; repeatable."
)
_PLACE = _split(
    "--place", multiple=True, metavar="SCENE=PLACE", help="Scenes of one place are one group; repeatable."
)
_SPLIT_OPTIONS = (
    _split("--ratios", nargs=3, type=float, default=(0.8, 0.1, 0.1), show_default=True, help="Train, val, test."),
    _split("--counts", metavar="TRAIN,VAL,TEST", help="Exact numbers of pairs instead, such as 960,120,120."),
    _split("--trim", is_flag=True, help="Leave pairs unused where whole groups cannot meet --counts."),
    _split(
        "--seed",
        type=click.IntRange(0, 2**63 - 1),
        default=0,
        show_default=True,
        help="Draws which group goes where.",
    ),
    _ASSIGN,
    _PLACE,
    _split("--leave-out-mirror-state", default="", metavar="LABEL", help="Only this state is tested on."),
    _split("--allow-leaky", is_flag=True, help="Divide groups where there are too few; scores will flatter."),
)

_LIMITS = (
    ("max_residual_px", "Median shift that a pair's tiles still ask for."),
    ("max_residual_p95_px", "95th percentile of the same."),
    ("max_departure_px", "Between the pair's own mapping and the session's."),
    ("min_ncc", "Correlation of tiles after registration, 0 to 1."),
    ("max_skew_us", "Between the exposures of A and B."),
    ("max_saturated_fraction", "Share of masked pixels."),
    ("min_overlap", "Share of B's frame that A sees."),
    ("max_moving_share", "Share of tiles that moved."),
    ("min_ceiling_db", "PSNR that a perfect restoration could reach."),
)

_RUN_OPTIONS = (
    _run(
        "--jobs",
        "-j",
        type=click.IntRange(min=1),
        default=None,
        help="Processes.  [default: one per core, at most 4]",
    ),
    _run(
        "--ray",
        metavar="ADDRESS",
        help="Run on a Ray cluster instead, such as auto; its nodes need the same folders.",
    ),
)


def split_options(verb: F) -> F:
    """Options that `split_settings` reads."""
    return _with(verb, _SPLIT_OPTIONS)


def group_options(verb: F) -> F:
    """The split options that can be had where splits are there already; `group_settings` reads them."""
    return _with(verb, (_ASSIGN, _PLACE))


def limit_options(verb: F) -> F:
    """Options that `limits` reads."""
    coarse = _gate(
        "--allow-coarse/--no-coarse", default=None, help="Whether pairs that fit only coarsely come in."
    )
    gates = [_gate(f"--{name.replace('_', '-')}", type=float, help=help_text) for name, help_text in _LIMITS]
    return _with(verb, (*gates, coarse))


def run_options(verb: F) -> F:
    """Options that `engine` reads."""
    return _with(verb, _RUN_OPTIONS)


def _with(verb: F, options: Any) -> F:
    for option in reversed(options):
        verb = option(verb)
    return verb


def split_settings(given: dict[str, Any]) -> SplitSettings:
    """The settings of `split_options`, taken out of a verb's arguments."""
    from twinlens.dataset.schemes import SplitSettings as Made

    counts = given.pop("counts")
    return Made(
        ratios=given.pop("ratios"),
        counts=None if counts is None else _three(counts),
        trim=given.pop("trim"),
        seed=given.pop("seed"),
        assignment=dict(_scene_and_split(text) for text in given.pop("assign")),
        places=dict(_scene_and_place(text) for text in given.pop("place")),
        leave_out_mirror_state=given.pop("leave_out_mirror_state"),
        allow_leaky=given.pop("allow_leaky"),
    )


def group_settings(given: dict[str, Any]) -> SplitSettings:
    """The settings of `group_options`, taken out of a verb's arguments."""
    from twinlens.dataset.schemes import SplitSettings as Made

    return Made(
        assignment=dict(_scene_and_split(text) for text in given.pop("assign")),
        places=dict(_scene_and_place(text) for text in given.pop("place")),
    )


def chosen_split_options() -> list[str]:
    """The split options that stand on the command line of the running verb."""
    context = click.get_current_context()
    options = [p for p in context.command.params if getattr(p, "section", "") == SPLITS]
    source = click.core.ParameterSource.COMMANDLINE
    return [p.opts[0] for p in options if p.name and context.get_parameter_source(p.name) == source]


def limits(given: dict[str, Any], *, allow_coarse: bool = False) -> PassportLimits:
    """The settings of `limit_options`, taken out of a verb's arguments; `allow_coarse` where nothing was said."""
    from twinlens.dataset.limits import PassportLimits as Made

    chosen = given.pop("allow_coarse")
    coarse = allow_coarse if chosen is None else chosen
    return Made(allow_coarse=coarse, **{name: given.pop(name) for name, _ in _LIMITS})


def engine(given: dict[str, Any]) -> Engine:
    """Where tasks run, as `run_options` say; taken out of a verb's arguments."""
    import os

    from twinlens.engines import in_processes, on_ray

    jobs, ray = given.pop("jobs"), given.pop("ray")
    if ray is not None:
        return on_ray(ray)
    return in_processes(jobs or min(4, os.cpu_count() or 1))


def show_dataset(out: Path, report: DatasetReport) -> None:
    """Print what a file holds."""
    residual, ceiling = report.residual_px, report.ceiling_db
    console.figures(
        f"Dataset {out}",
        {
            "pairs": f"{report.pairs}, {sum(count.pairs for count in report.rejects)} left out",
            "size": f"{report.shape_hw[1]}x{report.shape_hw[0]} px, {report.bit_depth} bit, {report.layout}",
            **({"channels": "3, RGB"} if report.channels == 3 else {}),
            **{count.split: f"{count.pairs} pairs of {count.scenes} scenes" for count in report.splits},
            "groups": f"{report.groups} of {report.scenes} scenes",
            **({"warning": "groups are divided: scores flatter"} if report.is_leaky else {}),
            "residual median / p95": "unknown"
            if residual is None
            else f"{residual.median:.3f} / {residual.p95:.3f} px",
            "score ceiling, median": "unknown" if ceiling is None else f"{ceiling.median:.1f} dB",
            "input PSNR mean": f"{report.input_psnr_db.mean:.2f} dB",
            "schemes": ", ".join(report.schemes),
            "mirror states": ", ".join(f"{s.mirror_state} ({s.pairs})" for s in report.mirror_states),
            "name and version": f"{report.name} {report.version}",
            "content hash": report.content_hash,
        },
    )
    for rejected in report.rejects:
        console.note(f"{rejected.pairs} pairs left out for {rejected.reason}")
    for empty in (count.split for count in report.splits if not count.pairs):
        console.note(f"no pair is in {empty}")


def _three(text: str) -> tuple[int, int, int]:
    try:
        train, val, test = (int(number) for number in text.split(","))
    except ValueError as cause:
        raise click.BadParameter(f"{text!r} is not TRAIN,VAL,TEST", param_hint="--counts") from cause
    return train, val, test


def _scene_and_split(text: str) -> tuple[str, str]:
    scene, equals, split = text.rpartition("=")
    if not equals or split not in ("train", "val", "test"):
        raise click.BadParameter(f"{text!r} is not SCENE=train, SCENE=val or SCENE=test", param_hint="--assign")
    return scene, split


def _scene_and_place(text: str) -> tuple[str, str]:
    scene, equals, place = text.partition("=")
    if not (scene and equals and place):
        raise click.BadParameter(f"{text!r} is not SCENE=PLACE", param_hint="--place")
    return scene, place
