"""`sandbox`: a local server that answers as the documented API does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from replay.cli.epilogs import epilog
from replay.cli.options import Json, grouped
from replay.cli.running import stop_signals
from replay.settings import parse_rate, parse_seconds


def add_to(app: typer.Typer) -> None:
    """Add the command of this room."""
    rehearsed = epilog(
        "replay sandbox --latency 50ms --fail 503=5%",
        "replay sandbox --rate-limit 100/s --accepted accepted.jsonl",
        "replay sandbox --port 0 --json",
    )
    app.command("sandbox", short_help="Answer on loopback as the documented API does.", epilog=rehearsed)(
        grouped(sandbox)
    )


@dataclass(frozen=True, slots=True)
class Answering:
    """How the sandbox answers."""

    latency: Annotated[str, typer.Option("--latency", help="Wait before each answer: 50ms or 0.5s.")] = "0s"
    fail: Annotated[
        list[str] | None,
        typer.Option(
            "--fail", metavar="STATUS=SHARE", help="Answer so instead, as in 503=5%.", show_default=False
        ),
    ] = None
    rate_limit: Annotated[
        str | None,
        typer.Option("--rate-limit", help="Answer 429 beyond this, as in 100/s.", show_default=False),
    ] = None


def sandbox(
    answering: Answering,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Where to listen; 0 for any free port.")
    ] = 8790,
    key: Annotated[str, typer.Option("--key", help="The key that requests must carry.")] = "sandbox",
    accepted: Annotated[
        Path | None,
        typer.Option("--accepted", help="Add accepted events to this JSONL file.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> int:
    """Listen on loopback and answer as the documented API does, until Ctrl-C."""
    import asyncio

    from replay.sandbox import Fail, SandboxSettings

    limit = answering.rate_limit
    settings = SandboxSettings(
        port=port,
        key=key,
        latency=parse_seconds(answering.latency),
        fail=tuple(Fail.parse(text) for text in answering.fail or []),
        rate_limit=None if limit is None else parse_rate(limit, "--rate-limit"),
        accepted=accepted,
    )
    asyncio.run(_serve(settings, as_json=as_json))
    return 0


async def _serve(settings: object, *, as_json: bool) -> None:
    import asyncio

    from replay import console
    from replay.sandbox import Sandbox, SandboxSettings

    assert isinstance(settings, SandboxSettings)
    stop = asyncio.Event()
    for number in stop_signals():
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with Sandbox(settings) as server:
        if as_json:
            console.print_json({"url": server.url})
        else:
            console.show_sandbox(server.url, settings.key)
        await server.serve_until(stop)
    if not as_json:
        console.show_answers(dict(server.counts))
