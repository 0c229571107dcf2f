"""Shop fronts and doors of the drawn city."""

import numpy as np

from twinlens.capture.virtual.paint import Painting

_WORDS = (
    "BAKERY",
    "HOTEL",
    "BOOKS",
    "PHARMACY",
    "CAFE",
    "OPTICS",
    "CINEMA",
    "FLORIST",
    "BANK",
    "TAILOR",
    "MUSEUM",
    "RADIO",
    "WATCHES",
    "TEA ROOM",
    "GALLERY",
    "TOOLS",
    "MARKET",
    "SHOES",
    "LAMPS",
    "PAPER",
    "THEATRE",
    "BICYCLES",
)


def paint_shops(painting: Painting, span: tuple[float, float], *, top: float, rng: np.random.Generator) -> None:
    """Shop windows, signs and doors side by side on the ground floor, between two x and up to `top` metres."""
    left, x_end = span
    while x_end - left > 1.6:
        width = min(rng.uniform(2.4, 4.6), x_end - left)
        if width < 2.6 or rng.random() < 0.25:
            _door(painting, (left + 0.2, min(1.15, width - 0.4)), top, rng=rng)
            left += min(width, 1.7)
            continue
        _shop(painting, (left, width - 0.3), top, rng=rng)
        left += width


def _door(painting: Painting, span: tuple[float, float], top: float, *, rng: np.random.Generator) -> None:
    x, w = span
    tone = rng.uniform(0.1, 0.5)
    painting.box((x - 0.12, 0), (w + 0.24, top - 0.3), z=0, tone=0.75, rough=0.2)
    painting.box((x, 0), (w, top - 0.45), z=0, tone=tone, rough=0.25)
    for row in range(3):
        painting.box((x + 0.15, 0.2 + 0.75 * row), (w - 0.3, 0.55), z=0, tone=tone * 1.5 + 0.05, rough=0.25)
    painting.shadow(((x, top - 0.45), (x + w, top - 0.45), (x + w, top - 0.7), (x, top - 0.7)), z=0, light=0.5)


def _shop(painting: Painting, span: tuple[float, float], top: float, *, rng: np.random.Generator) -> None:
    x, w = span
    sign = rng.uniform(0.08, 0.9)
    painting.box((x, 0.1), (w, top - 0.1), z=0, tone=rng.uniform(0.15, 0.6), rough=0.15)
    painting.box((x + 0.12, 0.55), (w - 0.24, top - 1.4), z=0, tone=rng.uniform(0.08, 0.2), rough=0.3)
    for _ in range(14):
        goods = (x + 0.2 + rng.random() * (w - 0.8), 0.6)
        painting.box(
            goods, (rng.uniform(0.1, 0.4), rng.uniform(0.15, 1.1)), z=0, tone=rng.uniform(0.1, 0.9), rough=0.4
        )
    painting.polygon(
        ((x + 0.4 * w, top - 0.9), (x + 0.75 * w, top - 0.9), (x + 0.45 * w, 0.6), (x + 0.15 * w, 0.6)),
        z=0,
        tone=0.32,
        rough=0.5,
    )
    for bar in np.linspace(x + 0.1, x + w - 0.18, 4):
        painting.box((bar, 0.5), (0.08, top - 1.3), z=0, tone=0.8, rough=0.1)
    painting.box((x, top - 0.75), (w, 0.75), z=0.1, tone=sign, rough=0.08)
    word = str(rng.choice(_WORDS))
    painting.letters(
        word, (x + 0.2, top - 0.58), height_m=min(0.42, 0.9 * w / len(word)), z=0.1, tone=(sign + 0.5) % 1.0
    )
    if rng.random() < 0.5:
        stripes = max(int(w / 0.35), 3)
        for k in range(stripes):
            a, b = x + w * k / stripes, x + w * (k + 1) / stripes
            painting.polygon(
                ((a, top - 0.8), (b, top - 0.8), (b, top - 1.5), (a, top - 1.5)),
                z=0.9,
                tone=0.9 if k % 2 else rng.uniform(0.2, 0.3),
                rough=0.12,
            )
        painting.shadow(((x, top - 1.5), (x + w, top - 1.5), (x + w + 0.4, 1.2), (x + 0.3, 1.2)), z=0, light=0.5)
