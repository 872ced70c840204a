"""What else one could run, each in its own process: `python scripts.py NAME ARGUMENT…` prints JSON.

bare URL ROWS              aiohttp posting bodies that are ready, 64 in flight: the yardstick
script URL CSV ROWS        what one would write with aiohttp: csv, json, a semaphore; the first rows
requests URL CSV ROWS      what one would write with requests: a pool of 64 threads; the first rows
sink URL ROWS              the tool's own sink alone
sender URL ROWS            its sender, writing nothing down
feed CSV MAPPING           reading, mapping, judging and encoding alone
check FILE MAPPING         the tool's check
read_csv CSV               pandas alone: strings, in chunks
loads JSONL                json.loads a line at a time
"""

from __future__ import annotations

import asyncio
import csv
import json
import sys
import time
from collections.abc import Awaitable, Callable
from itertools import islice
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

IN_FLIGHT = 64
HEADERS = {"X-HACKLE-API-KEY": "k", "Content-Type": "application/json"}


def _body(row: dict[str, str]) -> dict[str, Any]:
    return {
        "event": {
            "key": row["event_name"],
            "value": float(row["amount"]),
            "properties": {
                "currency": row["currency"],
                "paymentMethod": row["payment_method"],
                "product": row["product"],
                "memo": row["memo"],
                "originalTime": row["ts"],
            },
        },
        "user": {
            "userId": row["user_id"],
            "deviceId": row["device_id"],
            "identifiers": {"sessionId": row["session_id"]},
            "properties": {"grade": row["grade"]},
        },
    }


def _rows(path: str, most: int) -> list[dict[str, str]]:
    with Path(path).open(newline="") as file:
        return list(islice(csv.DictReader(file), most))


def _bodies(rows: int) -> list[bytes]:
    from benchmarks.data import HEADER, cells

    names = HEADER.split(",")
    return [json.dumps(_body(dict(zip(names, cells(row), strict=True)))).encode() for row in range(rows)]


async def _drain(bodies: list[bytes], send: Callable[[bytes], Awaitable[object]]) -> float:
    left = iter(bodies)

    async def work() -> None:
        for body in left:
            await send(body)

    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))
    return len(bodies) / (time.perf_counter() - started)


def bare(url: str, rows: str) -> dict[str, float]:
    import aiohttp
    import uvloop

    async def run() -> float:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=30)
        connector = aiohttp.TCPConnector(limit=IN_FLIGHT)
        async with aiohttp.ClientSession(connector=connector, headers=HEADERS, timeout=timeout) as session:

            async def send(body: bytes) -> None:
                async with session.post(url, data=body) as response:
                    await response.read()

            return await _drain(_bodies(int(rows)), send)

    return {"rows_per_second": uvloop.run(run())}


def script(url: str, path: str, rows: str) -> dict[str, float]:
    import aiohttp

    async def run() -> float:
        limit = asyncio.Semaphore(IN_FLIGHT)
        async with aiohttp.ClientSession(headers=HEADERS) as session:

            async def send(row: dict[str, str]) -> None:
                async with limit, session.post(url, json=_body(row)) as response:
                    response.raise_for_status()

            started = time.perf_counter()
            some = _rows(path, int(rows))
            await asyncio.gather(*(send(row) for row in some))
            return len(some) / (time.perf_counter() - started)

    return {"rows_per_second": asyncio.run(run())}


def requests(url: str, path: str, rows: str) -> dict[str, float]:
    from concurrent.futures import ThreadPoolExecutor

    import requests as library

    session = library.Session()
    session.mount("http://", library.adapters.HTTPAdapter(pool_maxsize=IN_FLIGHT))

    def send(row: dict[str, str]) -> None:
        session.post(url, json=_body(row), headers=HEADERS, timeout=30).raise_for_status()

    started = time.perf_counter()
    some = _rows(path, int(rows))
    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        for _ in pool.map(send, some):
            pass
    return {"rows_per_second": len(some) / (time.perf_counter() - started)}


def sink(url: str, rows: str) -> dict[str, float]:
    import uvloop

    from replay.settings import SinkSettings
    from replay.sink import HttpSink

    async def run() -> float:
        async with HttpSink(SinkSettings(url=url, api_key="k", concurrency=IN_FLIGHT)) as one:
            return await _drain(_bodies(int(rows)), one.attempt)

    return {"rows_per_second": uvloop.run(run())}


def sender(url: str, rows: str) -> dict[str, float]:
    import uvloop
    from benchmarks.ledger import send

    return {"rows_per_second": uvloop.run(send(url, int(rows), None))}


def feed(path: str, mapping: str) -> dict[str, float]:
    import numpy as np

    from replay.mapping import Mapping, bodies, lanes
    from replay.pipeline import find_stored, make_job
    from replay.pipeline.stages import Judging
    from replay.rules import Judge
    from replay.settings import ReadSettings
    from replay.source import open_source

    job = make_job(find_stored([path], ReadSettings(), Path()), Mapping.load(mapping), ReadSettings())
    judge, rows, started = Judge(job.severities()), 0, time.perf_counter()
    with open_source(job.sources[0], ReadSettings()) as reader:
        for judged in Judging(job, judge, reader, "uid"):
            lanes(judged.mapped)
            rows += len(bodies(judged.mapped, np.ones(len(judged.chunk), dtype=np.bool_)))
    return {"rows_per_second": rows / (time.perf_counter() - started)}


def check(path: str, mapping: str) -> dict[str, float]:
    import replay
    import replay.pipeline

    loaded, started = replay.Mapping.load(mapping), time.perf_counter()
    rows = replay.check([path], mapping=loaded).rows["read"]
    return {"rows_per_second": rows / (time.perf_counter() - started)}


def read_csv(path: str) -> dict[str, float]:
    import pandas as pd

    rows, started = 0, time.perf_counter()
    for chunk in pd.read_csv(path, dtype=str, keep_default_na=False, chunksize=20_000):
        rows += len(chunk)
    return {"rows_per_second": rows / (time.perf_counter() - started)}


def loads(path: str) -> dict[str, float]:
    rows, started = 0, time.perf_counter()
    with Path(path).open(encoding="utf-8") as file:
        for line in file:
            json.loads(line)
            rows += 1
    return {"rows_per_second": rows / (time.perf_counter() - started)}


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](*sys.argv[2:])))
