"""Houses of the drawn city: walls, windows, balconies, cornices and roofs."""

from dataclasses import dataclass

import numpy as np

from twinlens.capture.virtual.paint import Painting
from twinlens.capture.virtual.shops import paint_shops


@dataclass(frozen=True, slots=True)
class House:
    """One house front: where it stands and how it is built. Lengths in metres."""

    left: float
    width: float
    floors: int
    floor_height: float
    ground_height: float
    columns: int
    window: tuple[float, float]
    """Width and height of a window."""
    wall: float
    """Tone of the wall."""
    trim: float
    """Tone of frames, sills and cornices."""
    material: str
    """"brick", "plaster", "stone" or "panels"."""
    roof: str
    """"pitched" or "flat"."""
    balconies: float
    """Share of windows with a balcony."""

    @property
    def eaves(self) -> float:
        """Height of the wall."""
        return self.ground_height + self.floors * self.floor_height


def draw_house(left: float, *, floors: int, rng: np.random.Generator) -> House:
    """A house with everything else left to chance."""
    columns = int(rng.integers(2, 6))
    pitch = rng.uniform(2.1, 3.1)
    floor_height = rng.uniform(2.9, 3.7)
    wall = rng.uniform(0.38, 0.88)
    trim = rng.uniform(0.75, 0.95) if wall < 0.62 or rng.random() < 0.3 else rng.uniform(0.35, 0.6)
    return House(
        left=left,
        width=columns * pitch + rng.uniform(0.6, 1.6),
        floors=floors,
        floor_height=floor_height,
        ground_height=rng.uniform(3.6, 4.4),
        columns=columns,
        window=(pitch * rng.uniform(0.38, 0.6), floor_height * rng.uniform(0.48, 0.66)),
        wall=wall,
        trim=trim,
        material=str(rng.choice(["brick", "brick", "plaster", "stone", "panels"])),
        roof=str(rng.choice(["pitched", "pitched", "flat"])),
        balconies=float(rng.choice([0.0, 0.25, 0.6])),
    )


def paint_house(painting: Painting, house: House, *, rng: np.random.Generator) -> None:
    """Draw a house front with its roof at z = 0."""
    _roof(painting, house, rng=rng)
    _wall(painting, house, rng=rng)
    _cornice(painting, house)
    pitch = house.width / house.columns
    for floor in range(house.floors):
        sill = house.ground_height + floor * house.floor_height + 0.25 * house.floor_height
        for column in range(house.columns):
            middle = house.left + (column + 0.5) * pitch
            _window(painting, house, corner=(middle - house.window[0] / 2, sill), rng=rng)
            if floor > 0 and rng.random() < house.balconies:
                _balcony(painting, (middle, sill - 0.15), house.window[0] + 0.7, house.trim)
    span = house.left + 0.35, house.left + house.width - 0.5
    paint_shops(painting, span, top=house.ground_height - 0.45, rng=rng)
    pipe_x = house.left + house.width - 0.18
    painting.box((pipe_x, 0), (0.11, house.eaves - 0.3), z=0, tone=0.25, rough=0.2)
    painting.box((pipe_x, 0), (0.04, house.eaves - 0.3), z=0, tone=0.45, rough=0.2)


def _wall(painting: Painting, house: House, *, rng: np.random.Generator) -> None:
    rough = {"brick": 0.28, "plaster": 0.22, "stone": 0.3, "panels": 0.16}[house.material]
    left, width, top = house.left, house.width, house.eaves
    painting.box((left, 0), (width, top), z=0, tone=house.wall, rough=rough)
    course, block = {"brick": (0.11, 0.34), "stone": (0.42, 0.9), "panels": (house.floor_height, 1.6)}.get(
        house.material, (0.0, 0.0)
    )
    if not course:
        return
    tones = house.wall * (1 + 0.12 * np.array([-1.0, -0.4, 0.5, 1.0]))
    rows = np.arange(0, top, course)
    for tone in tones:
        for _ in range(int(0.06 * len(rows) * width / block)):
            row = int(rng.integers(len(rows)))
            x = left + block * (rng.integers(max(int(width / block) - 1, 1)) + 0.5 * (row % 2))
            painting.box((x, rows[row]), (block, min(course, top - rows[row])), z=0, tone=tone, rough=rough)
    joints = [((left, y), (left + width, y)) for y in rows]
    for row, y in enumerate(rows):
        starts = np.arange(left + (0.5 * block if row % 2 else 0.0), left + width, block)
        joints += [((x, y), (x, min(y + course, top))) for x in starts]
    joint_tone = house.wall + (0.16 if house.material == "brick" and house.wall < 0.6 else -0.2)
    painting.lines(np.array(joints), z=0, tone=joint_tone, width_m=0.012 if house.material == "brick" else 0.02)


def _window(painting: Painting, house: House, *, corner: tuple[float, float], rng: np.random.Generator) -> None:
    (x, y), (w, h) = corner, house.window
    painting.box((x - 0.12, y - 0.05), (w + 0.24, h + 0.25), z=0, tone=house.trim, rough=0.15)
    painting.box((x, y), (w, h), z=0, tone=0.2, rough=0.05)
    frame = 0.07
    painting.box((x + 0.02, y), (w - 0.04, h - 0.06), z=0, tone=0.9 if rng.random() < 0.7 else 0.3, rough=0.06)
    panes_x, panes_y = int(rng.choice([2, 2, 3])), int(rng.choice([1, 2, 3]))
    pane_w = (w - 0.04 - frame) / panes_x - frame
    pane_h = (h - 0.06 - frame) / panes_y - frame
    glass = rng.uniform(0.1, 0.4)
    for i in range(panes_x):
        for j in range(panes_y):
            pane = (x + 0.02 + frame + i * (pane_w + frame), y + frame + j * (pane_h + frame))
            _pane(painting, pane, (pane_w, pane_h), glass + 0.05 * rng.standard_normal())
    _curtain(painting, (x + 0.02 + frame, y + frame), (w - 0.18, h - 0.2), rng=rng)
    # The wall is thicker than the frame: the sun from the upper left leaves top and left of the glass dark.
    painting.shadow(((x, y + h), (x + w, y + h), (x + w, y + h - 0.16), (x, y + h - 0.16)), z=0, light=0.45)
    painting.shadow(((x, y), (x + 0.09, y), (x + 0.09, y + h), (x, y + h)), z=0, light=0.5)
    painting.box((x - 0.2, y - 0.13), (w + 0.4, 0.1), z=0, tone=house.trim + 0.05, rough=0.15)
    painting.shadow(
        ((x - 0.15, y - 0.14), (x + w + 0.25, y - 0.14), (x + w + 0.3, y - 0.32), (x - 0.08, y - 0.32)),
        z=0,
        light=0.6,
    )


def _pane(painting: Painting, corner: tuple[float, float], size: tuple[float, float], tone: float) -> None:
    (x, y), (w, h) = corner, size
    painting.box(corner, size, z=0, tone=tone, rough=0.25)
    painting.polygon(
        ((x + 0.25 * w, y + h), (x + w, y + h), (x + w, y + 0.45 * h)), z=0, tone=tone + 0.18, rough=0.35
    )


def _curtain(
    painting: Painting, corner: tuple[float, float], size: tuple[float, float], *, rng: np.random.Generator
) -> None:
    (x, y), (w, h) = corner, size
    kind = rng.random()
    if kind < 0.3:
        folds = np.arange(x, x + 0.3 * w, 0.06)
        for side in (folds, folds + 0.7 * w):
            segments = np.array([((f, y), (f, y + h)) for f in side])
            painting.lines(segments, z=0, tone=rng.uniform(0.5, 0.8), width_m=0.03)
    elif kind < 0.5:
        drop = rng.uniform(0.3, 1.0) * h
        slats = np.array([((x, s), (x + w, s)) for s in np.arange(y + h - drop, y + h, 0.075)])
        painting.lines(slats, z=0, tone=rng.uniform(0.55, 0.85), width_m=0.04)


def _balcony(painting: Painting, foot: tuple[float, float], width: float, tone: float) -> None:
    x, y = foot[0] - width / 2, foot[1]
    painting.shadow(((x, y), (x + width, y), (x + width + 0.4, y - 0.8), (x + 0.3, y - 0.8)), z=0, light=0.55)
    painting.box((x - 0.05, y - 0.16), (width + 0.1, 0.16), z=0.4, tone=tone, rough=0.2)
    bars = [((b, y), (b, y + 0.95)) for b in np.arange(x, x + width, 0.12)]
    painting.lines(np.array(bars), z=0.4, tone=0.1, width_m=0.025)
    rails = [((x, y + 0.95), (x + width, y + 0.95)), ((x, y + 0.1), (x + width, y + 0.1))]
    painting.lines(np.array(rails), z=0.4, tone=0.1, width_m=0.05)


def _cornice(painting: Painting, house: House) -> None:
    left, width, top = house.left, house.width, house.eaves
    for below, height, tone in ((0.0, 0.18, 0.1), (0.18, 0.12, -0.08), (0.3, 0.22, 0.02)):
        painting.box(
            (left - 0.1, top - below - height), (width + 0.2, height), z=0.1, tone=house.trim + tone, rough=0.2
        )
    teeth = np.arange(left, left + width, 0.36)
    for x in teeth:
        painting.box((x, top - 0.5), (0.18, 0.2), z=0.1, tone=house.trim - 0.25, rough=0.2)
    painting.shadow(
        ((left, top - 0.52), (left + width, top - 0.52), (left + width, top - 0.85), (left, top - 0.85)),
        z=0,
        light=0.55,
    )
    belt = house.ground_height
    painting.box((left, belt - 0.2), (width, 0.22), z=0.05, tone=house.trim, rough=0.25)
    painting.shadow(
        ((left, belt - 0.2), (left + width, belt - 0.2), (left + width, belt - 0.4), (left, belt - 0.4)),
        z=0,
        light=0.6,
    )


def _roof(painting: Painting, house: House, *, rng: np.random.Generator) -> None:
    left, width, top = house.left, house.width, house.eaves
    for _ in range(int(rng.integers(1, 4))):
        x = left + rng.uniform(0.05, 0.85) * width
        height = rng.uniform(2.2, 4.2)
        painting.box((x, top), (rng.uniform(0.7, 1.3), height), z=-2, tone=rng.uniform(0.25, 0.55), rough=0.45)
        painting.box((x - 0.08, top + height), (0.9, 0.15), z=-2, tone=0.7, rough=0.2)
    _antenna(painting, (left + rng.uniform(0.2, 0.8) * width, top + 1.0), rng=rng)
    if house.roof == "flat":
        painting.box((left, top), (width, 0.9), z=0, tone=house.wall * 0.85, rough=0.3)
        painting.box((left - 0.05, top + 0.9), (width + 0.1, 0.12), z=0, tone=house.trim, rough=0.2)
        return
    rise, tone = rng.uniform(1.8, 3.2), rng.uniform(0.28, 0.5)
    slope = 0.5 * rise
    ridge = ((left, top), (left + width, top), (left + width - slope, top + rise), (left + slope, top + rise))
    painting.polygon(ridge, z=-0.2, tone=tone, rough=0.5)
    tiles = []
    for row, y in enumerate(np.arange(0, rise, 0.22)):
        inset = slope * y / rise
        tiles.append(((left + inset, top + y), (left + width - inset, top + y)))
        above = slope * min(y + 0.2, rise) / rise
        starts = np.arange(left + above + 0.12 * (row % 2), left + width - above, 0.24)
        tiles += [((x, top + y), (x, top + min(y + 0.2, rise))) for x in starts]
    painting.lines(np.array(tiles), z=-0.2, tone=tone * 0.45, width_m=0.02)
    for x in np.arange(left + 1.5, left + width - 1.5, 3.0):
        painting.box((x, top + 0.5), (1.1, 1.2), z=-0.1, tone=house.wall, rough=0.2)
        painting.box((x + 0.15, top + 0.6), (0.8, 0.9), z=-0.1, tone=0.1, rough=0.2)
        painting.box((x + 0.52, top + 0.6), (0.06, 0.9), z=-0.1, tone=0.85, rough=0.05)
        painting.polygon(
            ((x - 0.15, top + 1.7), (x + 1.25, top + 1.7), (x + 0.55, top + 2.3)),
            z=-0.1,
            tone=tone * 0.8,
            rough=0.5,
        )


def _antenna(painting: Painting, foot: tuple[float, float], *, rng: np.random.Generator) -> None:
    x, y = foot
    height = rng.uniform(2.0, 4.0)
    mast = [((x, y), (x, y + height))]
    rods = [
        ((x - r, y + height - d), (x + r, y + height - d))
        for r, d in ((0.4, 0.1), (0.35, 0.25), (0.3, 0.4), (0.5, 0.6))
    ]
    painting.lines(np.array(mast + rods), z=-1, tone=0.12, width_m=0.03)
