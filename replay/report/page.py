"""Dresses a report as one HTML file that is whole without a network, and in which nothing runs.

All of it is escaped by Jinja, and cleaned of what turns a line around. The policy in the page lets a
browser load nothing and run nothing, and use one style sheet: that of the page, told by its hash.
"""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from replay.report import checkstory, story
from replay.report.bars import bar, parts
from replay.report.breakdowns import event_keys, statuses
from replay.report.pictures import pictures
from replay.report.text import clean, short

if TYPE_CHECKING:
    from replay.report.checkstory import Checked
    from replay.report.story import Told

VALUE_MAX: Final = 500  # characters of a text of the data


def run_page(told: Told, now: datetime | None = None) -> bytes:
    """The report of a run."""
    rows = told.rows
    return _page(
        "run.html",
        title=f"Run {told.summary.get('run') or told.record.get('run')}",
        verdict=story.verdict(told),
        tone=story.tone(told),
        standing=story.standing(told),
        rows=rows,
        outcomes=story.OUTCOMES,
        whole=_svg(parts([(name, rows[name]) for name in story.OUTCOMES])),
        steps=story.steps(told),
        groups=story.groups(told),
        skipped=story.skipped(told),
        facts=story.facts(told),
        pictures=[(one, _svg(one.wide), _svg(one.narrow)) for one in pictures(told.course)],
        statuses=statuses(told.course),
        keys=event_keys(told.course),
        duplicates=int(told.summary.get("possible_duplicates", 0)),
        files=told.summary.get("files") or {},
        masked=told.masked,
        remarks=[*told.remarks, *story.odd(told)],
        now=now,
    )


def check_page(checked: Checked, now: datetime | None = None) -> bytes:
    """The report of a check."""
    keys, keys_beyond = checkstory.keys(checked)
    return _page(
        "check.html",
        title=f"Check of {short(', '.join(checked.sources), 120)}",
        verdict=checkstory.verdict(checked),
        tone=checkstory.tone(checked),
        rows=checked.result["rows"],
        whole=_svg(parts(checkstory.shares(checked))),
        skipped=checkstory.skipped(checked),
        problems=checked.result["problems"],
        rules=checked.rules,
        sources=checked.sources,
        profiles=checked.profiles,
        columns_beyond=checked.columns_beyond,
        time_range=checked.time_range,
        users=checked.result["users"],
        estimates=checked.result["estimates"],
        keys=keys,
        keys_beyond=keys_beyond,
        masked=checked.masked,
        now=now,
    )


def _page(template: str, *, now: datetime | None = None, **values: Any) -> bytes:
    written = f"{now or datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    text = _environment().get_template(template).render(written=written, style=_style(), **values)
    return text.encode()


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("replay.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        finalize=_shown,
    )
    environment.filters |= {"bar": lambda share, kind: _svg(bar(share, kind)), "drawing": _svg}
    environment.globals["share"] = _share
    return environment


def _share(part: int, whole: int) -> str:
    """A percentage that says 0 and 100 only of nothing and of all."""
    if not whole or part in (0, whole):
        return "100 %" if part and part == whole else "0 %"
    return f"{min(max(100 * part / whole, 0.1), 99.9):.1f} %"


def _shown(value: Any) -> Any:
    """Whatever a template writes; text of the data is cleaned, and cut where it goes on and on."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return short(clean(value), VALUE_MAX)
    return value


@cache
def _style() -> dict[str, str]:
    """The style sheet, and the hash by which the policy lets it in."""
    text = files("replay.report").joinpath("templates/style.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return {"text": Markup(text), "hash": f"sha256-{digest}"}  # noqa: S704 - our own file


def _svg(drawing: str) -> Markup:
    """A drawing as it stands: `charts` and `bars` let nothing but shapes and escaped words into it."""
    return Markup(drawing)  # noqa: S704
