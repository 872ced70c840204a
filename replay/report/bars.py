"""Bars within tables: the length of one says its row's share, the parts of one a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Iterable


def bar(share: float, kind: str) -> str:
    """A bar as long as a share from 0 to 1; told in the numbers beside it, so silent for a screen reader."""
    return _drawn([(kind, share)], "bar")


def parts(rows: Iterable[tuple[str, int]]) -> str:
    """One bar of the shares that each kind has of all rows."""
    known = [(kind, count) for kind, count in rows if count > 0]
    total = sum(count for _, count in known)
    return _drawn([(kind, count / total) for kind, count in known], "whole")


def _drawn(shares: Iterable[tuple[str, float]], name: str) -> str:
    drawing = ET.Element("svg", {"class": name, "aria-hidden": "true", "focusable": "false"})
    at = 0.0
    for kind, share in shares:
        place = {"x": f"{at:.3f}%", "width": f"{share * 100:.3f}%", "height": "100%", "class": f"fill {kind}"}
        ET.SubElement(drawing, "rect", place)
        at += share * 100
    return ET.tostring(drawing, encoding="unicode")
