"""An experiment as a file that a lab reads: what a paper says, and at which scales it can be run again."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from twinlens.capture.capture import Take
from twinlens.capture.virtual.twin import RigTwin, TwinSettings
from twinlens.dataset.build import DatasetSettings
from twinlens.dataset.schemes import SplitSettings
from twinlens.errors import SettingsError, TwinlensError
from twinlens.report.experiment import Quoted
from twinlens.restore.train import TrainSettings
from twinlens.settings import Settings

_HINT = "compare it with recipes/zhang2024.toml"


@dataclass(frozen=True, kw_only=True)
class Scale(Settings):
    """One size at which an experiment is run."""

    meant_for: str = ""
    """The machine and the time it was sized for."""
    differs: tuple[str, ...] = ()
    """What is not as in the paper, a sentence each."""
    counts: tuple[int, int, int] = (960, 120, 120)
    """Pairs of train, validation and test, exactly."""
    seed: int = 0
    """Draws which scenes go where, and which pairs are shown."""
    twin: TwinSettings = field(default_factory=TwinSettings)
    """The rig that is simulated."""
    train: TrainSettings = field(default_factory=TrainSettings)
    """What is trained, and how; `keep_every` are the rounds that are tested afterwards."""

    def check(self) -> None:
        """Raise `SettingsError` where a value cannot work."""
        if len(self.counts) != 3 or min(self.counts) < 1:
            raise SettingsError(
                f"Scale.counts is {self.counts}; train, validation and test need at least one pair each",
                hint="give three numbers of pairs, such as [960, 120, 120]",
            )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """A scale out of a recipe's tables.

        Raises:
            SettingsError: a name is unknown, or a value cannot work.
        """
        twin, train = TwinSettings.from_dict(values["twin"]), TrainSettings.from_dict(values["train"])
        return super().from_dict({**values, "twin": twin, "train": train})


@dataclass(frozen=True, kw_only=True)
class ExperimentRecipe:
    """What is quoted, and the scales by name."""

    name: str
    title: str
    quoted: Quoted
    scales: Mapping[str, Scale]

    def scale(self, name: str) -> Scale:
        """The scale of that name.

        Raises:
            SettingsError: there is none.
        """
        if name not in self.scales:
            raise SettingsError(
                f"the recipe {self.name} has no scale {name!r}", hint=f"its scales are: {', '.join(self.scales)}"
            )
        return self.scales[name]


def read_recipe(path: Path) -> ExperimentRecipe:
    """A recipe out of its TOML file, every scale checked.

    Raises:
        SettingsError: the file cannot be read, lacks a value, or holds one that cannot work.
        UnknownNetworkError: a scale asks for a network or a size that there is not.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as cause:
        raise SettingsError(f"{path} cannot be read as a recipe: {cause}", hint=_HINT) from cause
    try:
        return ExperimentRecipe(
            name=path.stem,
            title=values["title"],
            quoted=Quoted(**values["paper"]),
            scales={name: _scale(path, name, table) for name, table in values["scales"].items()},
        )
    except (KeyError, TypeError, AttributeError) as cause:
        raise SettingsError(
            f"{path} lacks a part of a recipe, or has one too many: {cause}", hint=_HINT
        ) from cause


def _scale(path: Path, name: str, table: Mapping[str, Any]) -> Scale:
    try:
        return Scale.from_dict(table)
    except TwinlensError as error:
        raise type(error)(f"{path}, scale {name}: {error.message}", hint=error.hint) from error


@dataclass(frozen=True)
class ExperimentPlan:
    """What to record, and the settings that divide it exactly."""

    takes: tuple[Take, ...]
    dataset: DatasetSettings


def plan_experiment(scale: Scale, twin: RigTwin, *, name: str) -> ExperimentPlan:
    """As many pairs of every scene as the counts need, spread over the mirror states.

    No split divides a scene, so each gets the same number of pairs, the smallest with which whole scenes fill
    every split; what is then too many stays unused. Mirror states follow each other, as in a lab.

    Raises:
        SettingsError: there are fewer than three scenes.
    """
    per_scene, states = _pairs_per_scene(scale.counts, len(twin.scene_names)), len(twin.mirror_states)
    takes = [
        Take(
            scene=scene_name,
            pairs=pairs,
            mirror_state=mirror_state,
            features={"TwinSceneSelector": scene, "TwinMirrorStateSelector": state},
        )
        for state, mirror_state in enumerate(twin.mirror_states)
        for scene, scene_name in enumerate(twin.scene_names)
        # A remainder goes to other states in every scene, so that all get the same.
        if (pairs := per_scene // states + ((state - scene) % states < per_scene % states))
    ]
    splits = SplitSettings(counts=scale.counts, trim=True, seed=scale.seed)
    return ExperimentPlan(tuple(takes), DatasetSettings(name=name, splits=splits))


def _pairs_per_scene(counts: tuple[int, int, int], scenes: int) -> int:
    if scenes < len(counts):
        raise SettingsError(
            f"{scenes} scenes; train, validation and test need one each at least",
            hint="give more photographs, or more streets in the recipe",
        )
    return next(pairs for pairs in range(1, max(counts) + 1) if sum(-(-n // pairs) for n in counts) <= scenes)
