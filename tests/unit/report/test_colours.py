"""Contrast by the rule of WCAG 2.2, success criterion 1.4.3: 4.5 for text, computed from the style sheet itself."""

from __future__ import annotations

import re
from importlib import resources

import pytest

CSS = resources.files("portfolio.report").joinpath("templates", "page.css").read_text("utf-8")
LIGHT, DARK = (
    dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})\b", block))
    for block in re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
)
PAIRS = [
    *((ink, ground) for ink in ("ink", "muted", "accent") for ground in ("paper", "surface")),
    ("stressed", "surface"),
    ("bad", "surface"),
    ("ink", "neutral-soft"),
    *((kind, f"{kind}-soft") for kind in ("accent", "stressed", "neutral", "ok", "bad")),
]


def luminance(colour: str) -> float:
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("ink", "ground"), PAIRS)
def test_colours_have_enough_contrast(colours, ink, ground):
    lighter, darker = sorted((luminance(colours[ink]), luminance(colours[ground])), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= 4.5


def test_colours_of_light_and_dark_are_the_same_set():
    assert LIGHT.keys() == DARK.keys()
