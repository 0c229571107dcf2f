"""What stands in front of the houses of the drawn city: pavement, road, cars, trees, lamps, masts, cables."""

import numpy as np
from numpy.typing import NDArray

from twinlens.capture.virtual.paint import Painting

_CAR = (
    (0.0, 0.35),
    (0.05, 0.75),
    (0.75, 0.9),
    (1.35, 1.42),
    (2.75, 1.46),
    (3.45, 0.95),
    (4.15, 0.82),
    (4.25, 0.35),
)
_CAR_GLASS = ((0.95, 0.92), (1.42, 1.34), (2.7, 1.37), (3.22, 0.95))


def paint_ground(painting: Painting, span: tuple[float, float], *, rng: np.random.Generator) -> None:
    """Pavement with slabs, kerb and road with markings between two x, from the houses to the viewer."""
    x0, x1 = span
    near = 0.93 * painting.eye.distance_m
    slab = rng.uniform(0.5, 0.62)
    painting.ground(((x0, 0), (x1, 0), (x1, 4), (x0, 4)), tone=slab, rough=0.35)
    for z in np.arange(0, 4, 0.5):
        painting.ground(((x0, z), (x1, z), (x1, z + 0.03), (x0, z + 0.03)), tone=slab * 0.6, rough=0.3)
        for x in np.arange(x0 + 0.4 * (round(z / 0.5) % 2), x1, 0.8):
            painting.ground(
                ((x, z), (x + 0.03, z), (x + 0.03, z + 0.5), (x, z + 0.5)), tone=slab * 0.65, rough=0.3
            )
    painting.ground(((x0, 4), (x1, 4), (x1, near), (x0, near)), tone=rng.uniform(0.28, 0.4), rough=0.5)
    painting.ground(((x0, 4), (x1, 4), (x1, 4.25), (x0, 4.25)), tone=0.72, rough=0.3)
    painting.ground(((x0, 4.25), (x1, 4.25), (x1, 4.45), (x0, 4.45)), tone=0.2, rough=0.3)
    for x in np.arange(x0, x1, 4.0):
        painting.ground(((x, 9.0), (x + 2, 9.0), (x + 2, 9.18), (x, 9.18)), tone=0.85, rough=0.35)
    zebra = rng.uniform(x0 + 0.2 * (x1 - x0), x0 + 0.7 * (x1 - x0))
    for z in np.arange(4.8, near - 1, 1.1):
        painting.ground(
            ((zebra, z), (zebra + 3, z), (zebra + 3, z + 0.55), (zebra, z + 0.55)), tone=0.85, rough=0.4
        )
    _road_wear(painting, (x0, x1), near=near, rng=rng)


def _road_wear(painting: Painting, span: tuple[float, float], *, near: float, rng: np.random.Generator) -> None:
    """What a road collects: mended patches, manhole covers, cracks, fallen leaves."""
    x0, x1 = span
    for _ in range(int((x1 - x0) * 0.25)):
        x, z, w, d = rng.uniform(x0, x1), rng.uniform(4.8, near - 4), rng.uniform(0.8, 4), rng.uniform(0.5, 2)
        painting.ground(((x, z), (x + w, z), (x + w, z + d), (x, z + d)), tone=rng.uniform(0.2, 0.48), rough=0.5)
    for _ in range(int((x1 - x0) * 0.1) + 1):
        place = rng.uniform(x0, x1), rng.uniform(5, near - 6)
        for radius, tone in ((0.42, 0.5), (0.36, 0.14), (0.3, 0.3), (0.18, 0.16), (0.1, 0.4)):
            painting.ground(_ring(place, (radius, radius)), tone=tone, rough=0.4)
    for _ in range(int((x1 - x0) * 0.5)):
        start = rng.uniform(x0, x1), rng.uniform(5, near - 5)
        crack = start + np.cumsum(rng.normal((0.25, 0.0), (0.1, 0.22), (12, 2)), axis=0)
        for (xa, za), (xb, zb) in zip(crack[:-1].tolist(), crack[1:].tolist(), strict=True):
            painting.ground(((xa, za), (xb, zb), (xb, zb + 0.05), (xa, za + 0.05)), tone=0.1)
    for _ in range(int((x1 - x0) * 14)):
        x, z, size = rng.uniform(x0, x1), rng.uniform(0.3, near - 3), rng.uniform(0.04, 0.1)
        leaf = ((x - size, z), (x, z + size), (x + size, z), (x, z - size))
        painting.ground(leaf, tone=rng.uniform(0.15, 0.8), rough=0.2)


def _ring(place: tuple[float, float], radii: tuple[float, float]) -> list[tuple[float, float]]:
    return [
        (place[0] + radii[0] * float(np.cos(t)), place[1] + radii[1] * float(np.sin(t)))
        for t in np.linspace(0, 2 * np.pi, 25)[:-1]
    ]


def paint_car(painting: Painting, place: tuple[float, float], *, rng: np.random.Generator) -> None:
    """A parked car in side view; `place` is its rear bumper's x and its depth z."""
    x, z = place
    body = float(rng.choice([0.08, 0.18, 0.35, 0.6, 0.8, 0.92]))
    flip = rng.random() < 0.5

    def at(points: tuple[tuple[float, float], ...]) -> list[tuple[float, float]]:
        return [(x + (4.25 - u if flip else u), v) for u, v in points]

    shadow = ((x - 0.2, z - 1.4), (x + 4.5, z - 1.4), (x + 4.7, z + 0.5), (x - 0.1, z + 0.5))
    painting.ground(shadow, tone=0.09, rough=0.2)
    painting.polygon(at(_CAR), z=z, tone=body, rough=0.06)
    painting.polygon(at(((0.0, 0.35), (0.05, 0.55), (4.2, 0.55), (4.25, 0.35))), z=z, tone=body * 0.55, rough=0.1)
    painting.polygon(at(((0.1, 0.76), (0.75, 0.9), (3.45, 0.93), (3.5, 0.88))), z=z, tone=body + 0.14, rough=0.03)
    painting.polygon(at(_CAR_GLASS), z=z, tone=0.13, rough=0.35)
    painting.polygon(at(((1.5, 1.3), (2.1, 1.33), (1.5, 0.95), (1.05, 0.95))), z=z, tone=0.4, rough=0.3)
    for post in (1.98, 1.33, 2.72):
        painting.polygon(at(((post, 0.92), (post, 1.4), (post + 0.09, 1.4), (post + 0.09, 0.92))), z=z, tone=body)
    painting.lines(np.array([at(((2.02, 0.4), (2.02, 0.92)))]), z=z, tone=body * 0.4, width_m=0.025)
    for handle in (1.5, 2.6):
        painting.polygon(
            at(((handle, 0.8), (handle + 0.2, 0.8), (handle + 0.2, 0.84), (handle, 0.84))), z=z, tone=0.9
        )
    for wheel in (0.85, 3.4):
        centre = at(((wheel, 0.33),))[0]
        painting.disc(centre, 0.40, z=z, tone=0.03)
        painting.disc(centre, 0.33, z=z, tone=0.10, rough=0.2)
        painting.disc(centre, 0.21, z=z, tone=0.62)
        spokes = [
            (centre, (centre[0] + 0.2 * np.cos(t), centre[1] + 0.2 * np.sin(t))) for t in np.arange(5) * 1.257
        ]
        painting.lines(np.array(spokes), z=z, tone=0.2, width_m=0.04)
    painting.polygon(at(((4.1, 0.68), (4.22, 0.66), (4.22, 0.8), (4.05, 0.8))), z=z, tone=0.95)
    painting.polygon(at(((0.04, 0.66), (0.16, 0.66), (0.16, 0.8), (0.06, 0.78))), z=z, tone=0.3)


def paint_tree(painting: Painting, place: tuple[float, float], *, height: float, rng: np.random.Generator) -> None:
    """A broad-leaved tree: trunk, branches, and some thousand leaves lit from the upper left."""
    x, z = place
    bark = rng.uniform(0.16, 0.28)
    trunk = ((x - 0.2, 0), (x + 0.2, 0), (x + 0.12, 0.5 * height), (x - 0.12, 0.5 * height))
    painting.polygon(trunk, z=z, tone=bark, rough=0.6)
    crown = np.array([x, 0.68 * height])
    boughs = crown + rng.normal(0, 1, (26, 2)) * (0.17 * height, 0.13 * height)
    for bough in boughs:
        painting.lines(np.array([[(x, 0.38 * height), tuple(bough)]]), z=z, tone=bark, width_m=0.07)
    leaves = 4200
    bough = boughs[rng.integers(len(boughs), size=leaves)]
    centres = bough + rng.normal(0, 0.05 * height, (leaves, 2))
    lit = (centres - crown) @ np.array([-0.35, 0.75]) / (0.3 * height) + rng.normal(0, 0.45, leaves)
    order = np.argsort(lit)
    tones = 0.2 + 0.11 * np.clip(lit, -1.5, 2.6)
    for outline, tone in zip(_leaves(centres[order], rng=rng).tolist(), tones[order].tolist(), strict=True):
        painting.polygon(outline, z=z, tone=tone, rough=0.3)
    ground = [(float(u), float(v)) for u, v in _blob((x + 0.8, z), (2.2, 0.7), rng=rng)]
    painting.ground(ground, tone=0.2, rough=0.4)


def paint_lamp(painting: Painting, place: tuple[float, float], *, height: float) -> None:
    """A street lamp: base, tapering post, arm and head."""
    x, z = place
    tone = 0.14
    painting.box((x - 0.14, 0), (0.28, 0.9), z=z, tone=tone, rough=0.1)
    post = ((x - 0.08, 0.9), (x + 0.08, 0.9), (x + 0.045, height), (x - 0.045, height))
    painting.polygon(post, z=z, tone=tone)
    gleam = ((x - 0.05, 0.9), (x - 0.02, 0.9), (x - 0.015, height), (x - 0.03, height))
    painting.polygon(gleam, z=z, tone=0.5)
    arm = [((x, height - 0.1), (x + 0.7, height + 0.25)), ((x + 0.7, height + 0.25), (x + 1.3, height + 0.28))]
    painting.lines(np.array(arm), z=z, tone=tone, width_m=0.07)
    head = ((x + 1.1, height + 0.34), (x + 1.9, height + 0.3), (x + 1.85, height + 0.16), (x + 1.1, height + 0.2))
    painting.polygon(head, z=z, tone=0.3)
    painting.box((x + 1.2, height + 0.12), (0.55, 0.06), z=z, tone=0.95)


def paint_sign(painting: Painting, place: tuple[float, float], *, rng: np.random.Generator) -> None:
    """A traffic sign: round with a bar, or a plate with lettering."""
    x, z = place
    painting.box((x - 0.035, 0), (0.07, 2.9), z=z, tone=0.55, rough=0.1)
    if rng.random() < 0.5:
        painting.disc((x, 2.6), 0.36, z=z, tone=0.9)
        painting.disc((x, 2.6), 0.32, z=z, tone=0.25)
        painting.box((x - 0.22, 2.53), (0.44, 0.13), z=z, tone=0.95)
        return
    painting.box((x - 0.62, 2.3), (1.24, 0.55), z=z, tone=0.92, rough=0.03)
    painting.box((x - 0.58, 2.34), (1.16, 0.47), z=z, tone=0.22, rough=0.03)
    painting.letters(
        str(rng.choice(["CENTRE", "STATION", "HARBOUR", "P 300 m"])), (x - 0.5, 2.48), height_m=0.2, z=z, tone=0.95
    )


def paint_cables(
    painting: Painting, span: tuple[float, float], *, height: float, rng: np.random.Generator
) -> None:
    """Cables that sag across the whole street, with their masts."""
    x0, x1 = span
    x = np.linspace(0, 1, 41)
    for k in range(int(rng.integers(3, 6))):
        y = height + 0.35 * k - 4 * rng.uniform(0.5, 1.1) * x * (1 - x) + 0.15 * rng.standard_normal()
        points = np.stack([x0 + x * (x1 - x0), y], axis=1)
        painting.lines(np.stack([points[:-1], points[1:]], axis=1), z=6, tone=0.06, width_m=0.03)
    for mast in (x0 + 0.08 * (x1 - x0), x0 + 0.93 * (x1 - x0)):
        painting.box((mast, 0), (0.16, height + 2), z=6, tone=0.2, rough=0.2)
        painting.box((mast, 0), (0.05, height + 2), z=6, tone=0.5, rough=0.2)
        painting.box((mast - 0.6, height + 1.2), (1.4, 0.1), z=6, tone=0.2, rough=0.2)


def paint_person(painting: Painting, place: tuple[float, float], *, rng: np.random.Generator) -> None:
    """Somebody on the pavement."""
    x, z = place
    coat, trousers = rng.uniform(0.08, 0.8), rng.uniform(0.06, 0.4)
    step = rng.uniform(0.12, 0.3)
    for foot in (-step, step):
        leg = ((x - 0.1, 0.85), (x + 0.1, 0.85), (x + foot + 0.07, 0.0), (x + foot - 0.07, 0.0))
        painting.polygon(leg, z=z, tone=trousers)
    body = ((x - 0.2, 0.8), (x + 0.2, 0.8), (x + 0.24, 1.42), (x + 0.1, 1.52), (x - 0.1, 1.52), (x - 0.24, 1.42))
    painting.polygon(body, z=z, tone=coat, rough=0.2)
    painting.disc((x, 1.66), 0.115, z=z, tone=0.55)
    painting.disc((x - 0.02, 1.71), 0.11, z=z, tone=rng.uniform(0.05, 0.35))


def _leaves(centres: NDArray[np.float64], *, rng: np.random.Generator) -> NDArray[np.float64]:
    """Outlines (n, 4, 2) of leaves 5 to 13 cm long, turned at random."""
    turn, size = rng.uniform(0, np.pi, len(centres)), rng.uniform(0.05, 0.13, len(centres))
    along = np.stack([np.cos(turn), np.sin(turn)], axis=1) * size[:, None]
    across = along[:, ::-1] * (-0.5, 0.5)
    return centres[:, None] + np.stack([along, across, -along, -across], axis=1)


def _blob(
    centre: tuple[float, float], radii: tuple[float, float], *, rng: np.random.Generator
) -> NDArray[np.float64]:
    angles = np.linspace(0, 2 * np.pi, 19)[:-1]
    radius = 1 + 0.2 * rng.standard_normal(18)
    return np.stack(
        [centre[0] + radii[0] * radius * np.cos(angles), centre[1] + radii[1] * radius * np.sin(angles)], axis=1
    )
