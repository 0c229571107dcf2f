"""`session.json`: what a session is, which takes it holds, and the account of its triggers."""

import unicodedata
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from twinlens.capture.frame import MirrorState
from twinlens.capture.pairing import Gap, Run, Slip
from twinlens.errors import SessionError
from twinlens.storage import read_artefact, write_artefact

SCHEMA = "twinlens.session"
SCHEMA_VERSION = "1.1.0"
MANIFEST = "session.json"

SeriesKind = Literal["scene", "dark", "flat", "reference"]
"""What was in front of the cameras: a scene, nothing (covered), an even light, or a scene with a flat mirror."""


@dataclass(frozen=True, slots=True)
class RecordedTake:
    """Consecutive triggers of one scene under one mirror state."""

    scene: str
    mirror_state: MirrorState
    first_trigger: int
    kind: SeriesKind = "scene"
    exposure_us: float = 0.0
    """0: as the session's settings say."""
    gain_db: float = 0.0
    rejected: bool = False
    """It was taken again; its frames are kept and its pairs are not."""

    def answers(self, mirror_state: str | None, kind: SeriesKind) -> bool:
        """Whether its pairs are asked for."""
        wanted = mirror_state is None or self.mirror_state.label == mirror_state
        return wanted and self.kind == kind and not self.rejected


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything `session.json` says."""

    id: str
    complete: bool
    """Whether every pair that was asked for is there."""
    cameras: dict[str, dict[str, str]]
    """"a" and "b": serial, vendor, model, user_name."""
    settings: dict[str, Any]
    producer: str
    shape_hw: tuple[int, int]
    bit_depth: int
    takes: tuple[RecordedTake, ...]
    triggers: int
    """How many are accounted for."""
    ledger: tuple[Gap, ...]
    stream: dict[str, dict[str, int]]
    """Per camera: the producer's counters at the end."""
    runs: tuple[Run, ...] = ()
    """Which recorded frames answer which triggers; empty where the index in the row is the trigger."""
    slips: tuple[Slip, ...] = ()
    armings: int = 1
    synchronised: bool = True
    """False where nothing makes the cameras expose together."""
    ended: str = ""
    """Why the recording ended before it was complete."""

    def write(self, folder: Path) -> None:
        """Write `session.json` into `folder`."""
        write_artefact(folder / MANIFEST, SCHEMA, SCHEMA_VERSION, asdict(self))


def read_manifest(folder: Path) -> Manifest:
    """What `session.json` in `folder` says.

    Raises:
        SessionError: it is missing, foreign, or damaged.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise SessionError(
            f"{folder} holds no {MANIFEST}", hint="give a session folder that 'twinlens capture' wrote"
        )
    values = read_artefact(path, SCHEMA, SCHEMA_VERSION, error=SessionError)
    if not values.get("takes"):
        raise SessionError(f"{path} lists no take", hint="restore the session from a copy")
    try:
        return Manifest(
            id=values["id"],
            complete=values["complete"],
            cameras={role: dict(values["cameras"][role]) for role in ("a", "b")},
            settings=dict(values["settings"]),
            producer=values["producer"],
            shape_hw=(values["shape_hw"][0], values["shape_hw"][1]),
            bit_depth=values["bit_depth"],
            takes=tuple(_take(take) for take in values["takes"]),
            triggers=values["triggers"],
            ledger=tuple(Gap(**gap) for gap in values["ledger"]),
            stream=values["stream"],
            runs=tuple(Run(**run) for run in values.get("runs", ())),
            slips=tuple(Slip(**slip) for slip in values.get("slips", ())),
            armings=values.get("armings", 1),
            synchronised=values.get("synchronised", True),
            ended=values.get("ended", ""),
        )
    except (KeyError, TypeError, IndexError, ValueError) as cause:
        raise SessionError(f"{path} lacks or misstates {cause}", hint="restore the session from a copy") from cause


def _take(values: dict[str, Any]) -> RecordedTake:
    state = values["mirror_state"]
    mirror_state = MirrorState(state["label"], tuple(state["values"]), state["unit"])
    # One name, however a keyboard composes its accents.
    scene = unicodedata.normalize("NFC", values["scene"])
    return RecordedTake(**{**values, "scene": scene, "mirror_state": mirror_state})
