"""The pictures of a run: each with what it shows in words, and its numbers as a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from replay.report.charts import NARROW, WIDE, areas, lines
from replay.report.curves import curves_of, within
from replay.report.text import span

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from replay.report.course import Course
    from replay.report.curves import Curves

TABLE_ROWS_MAX: Final = 40
RESUMES_SHOWN: Final = 5
_TICKS_SECONDS: Final = (
    0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400,
)  # fmt: skip
_LOG_BEYOND: Final = 40.0  # a ratio of latencies that a plain scale would flatten


@dataclass(frozen=True, slots=True)
class Picture:
    """One chart: drawn for wide and for narrow screens, with its legend, its words and its numbers.

    `legend`: what each class of curve stands for. `table`: a head and rows.
    """

    title: str
    words: str
    wide: str
    narrow: str
    legend: Sequence[tuple[str, str]]
    head: Sequence[str]
    table: Sequence[Sequence[str]]


def pictures(course: Course) -> list[Picture]:
    """The pictures of a course; none where it is too short to have one."""
    curves = curves_of(course)
    if not curves.is_drawn:
        return []
    drawn = [_rows(curves, course), _pace(curves)]
    if latencies := _latencies(curves):
        drawn.append(latencies)
    return drawn


def _rows(curves: Curves, course: Course) -> Picture:
    legend = [("delivered", "delivered"), ("failed", "failed"), ("retried", "tried again")]
    names = ("delivered", "failed", "retries")
    series = [(kind, curves.a_second(name)) for (kind, _), name in zip(legend, names, strict=True)]
    total = [sum(getattr(point, name) for point in curves.points) for name in names]
    words = (
        f"Rows a second over {span(curves.seconds)}: {total[0]:,} delivered, {total[1]:,} failed, "
        f"{total[2]:,} tried again; at most {_figure(max(series[0][1]))} delivered a second."
    )
    words += _resumed(course)
    table = _rows_of(curves, [[f"{getattr(p, name):,}" for p in curves.points] for name in names])
    return _picture(
        "Rows over time", words, legend, ("from", *(text for _, text in legend)), table,
        _both(curves, lambda labels, size: areas(series, labels, size, _figure)),
    )  # fmt: skip


def _pace(curves: Curves) -> Picture:
    paces, limits = curves.a_second("requests"), curves.limits()
    known = [limit for limit in limits if limit is not None]
    mean = sum(point.requests for point in curves.points) / max(curves.seconds, curves.width)
    words = f"Requests a second: {_figure(mean)} on average, {_figure(max(paces))} at most"
    if known:
        low = f", lowered to {_figure(min(known))} at times" if min(known) < max(known) * 0.99 else ""
        words += f"; the limit was {_figure(max(known))}{low}."
    else:
        words += "; there was no limit."
    legend = [("pace", "requests a second"), *([("limit", "the limit of the moment")] if known else [])]
    series: list[tuple[str, Sequence[float | None]]] = [("pace", paces)]
    series += [("limit", limits)] if known else []
    shown = [[_figure(pace) for pace in paces], ["none" if one is None else _figure(one) for one in limits]]
    table = _rows_of(curves, shown)
    return _picture(
        "Pace against the limit", words, legend, ("from", "requests a second", "limit"), table,
        _both(curves, lambda labels, size: lines(series, labels, size, _figure)),
    )  # fmt: skip


def _latencies(curves: Curves) -> Picture | None:
    found = curves.latencies()
    if not any(found):
        return None
    legend = [("slowest", "99 of 100 within"), ("slow", "95 of 100 within"), ("median", "half within")]
    series = [
        (kind, [None if at is None else at[share] * 1000 for at in found])
        for (kind, _), share in zip(legend, (2, 1, 0), strict=True)
    ]
    known = [value for _, values in series for value in values if value is not None]
    median, slow, slowest = within(_all_latencies(curves))
    words = (
        f"How long answers took: half came within {_milliseconds(median * 1000)}, 95 of 100 within "
        f"{_milliseconds(slow * 1000)}, 99 of 100 within {_milliseconds(slowest * 1000)}."
    )
    shown = [["–" if one is None else _milliseconds(one) for one in values] for _, values in reversed(series)]
    head = ("from", *(text for _, text in reversed(legend)))
    log = max(known) > _LOG_BEYOND * max(min(known), 1e-3)
    words += " The scale is logarithmic." if log else ""
    return _picture(
        "Latency", words, legend, head, _rows_of(curves, shown),
        _both(curves, lambda labels, size: lines(series, labels, size, _milliseconds, log=log)),
    )  # fmt: skip


def _all_latencies(curves: Curves) -> dict[int, int]:
    counted: dict[int, int] = {}
    for point in curves.points:
        for bucket, answers in point.latencies.items():
            counted[bucket] = counted.get(bucket, 0) + answers
    return counted


def _picture(
    title: str,
    words: str,
    legend: Sequence[tuple[str, str]],
    head: Sequence[str],
    table: Sequence[Sequence[str]],
    drawn: tuple[str, str],
) -> Picture:
    return Picture(title, words, *drawn, legend, head, table)


def _both(curves: Curves, draw: Callable[[Sequence[str], tuple[int, int]], str]) -> tuple[str, str]:
    """The same for a wide and for a narrow screen."""
    return draw(_labels(curves, 7), WIDE), draw(_labels(curves, 3), NARROW)


def _labels(curves: Curves, most: int) -> list[str]:
    """A label for each point: the time where it is a round one, else nothing."""
    whole = len(curves.points) * curves.width
    step = next(
        (tick for tick in _TICKS_SECONDS if whole / tick <= most and tick >= curves.width), whole / most
    )
    labels, marked = [], -1
    for place in range(len(curves.points)):
        tick = int((place * curves.width + 1e-9) // step)
        labels.append(_clock(tick * step) if tick > marked else "")
        marked = max(tick, marked)
    return labels


def _clock(seconds: float) -> str:
    """A moment of running time."""
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _rows_of(curves: Curves, columns: Sequence[Sequence[str]]) -> list[list[str]]:
    """The numbers as rows of a table, every so many of them."""
    every = -(-len(curves.points) // TABLE_ROWS_MAX)
    places = range(0, len(curves.points), every)
    return [[_clock(place * curves.width), *(column[place] for column in columns)] for place in places]


def _resumed(course: Course) -> str:
    starts = [_clock(seconds) for seconds, _ in course.whole.legs[1:]]
    more = f" and {len(starts) - RESUMES_SHOWN} more" if len(starts) > RESUMES_SHOWN else ""
    return f" The run was gone on with at {', '.join(starts[:RESUMES_SHOWN])}{more}." if starts else ""


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"


def _milliseconds(value: float) -> str:
    if value >= 1000:
        return f"{value / 1000:.3g} s"
    return f"{value:.0f} ms" if value >= 10 else f"{value:.2g} ms"
