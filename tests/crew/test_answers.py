"""Sender processes tell what came back, and how fast: as much as one process would."""

import asyncio

import pytest
from cli.desk import Server
from crew.watching import WAIT_SECONDS
from sink.origin import Reply, Reset

from replay import Mapping, pipeline
from replay.records import NO_STATUS
from replay.settings import ReadSettings, RunSettings, SendSettings, SinkSettings


class Listener(pipeline.Silent):
    """An observer that keeps what it heard last."""

    def on_progress(self, progress):
        self.progress = progress


def answer(request, _):
    number = int(request.body.partition(b'"value":')[2].partition(b",")[0].rstrip(b"}"))
    if number % 25 == 1:
        return Reset()
    return Reply(400) if number % 10 == 0 else Reply(delay=0.02)


async def run(url, processes, listener):
    send = SendSettings(rate=None, processes=processes)
    settings = RunSettings(send=send, sink=SinkSettings(url=url, api_key="k"))
    with pipeline.run_folder(settings) as folder, pipeline.opened(settings) as store:
        found = pipeline.find_stored(["rows.csv"], ReadSettings(), folder.path)
        job = pipeline.make_job(found, Mapping.load("map.toml"), ReadSettings())
        plan = pipeline.make_plan(job, pipeline.known_before(store, settings, folder.run))
        async with asyncio.timeout(WAIT_SECONDS):
            return await pipeline.Run(plan, settings, folder, observer=listener).send(store)


@pytest.mark.parametrize("processes", [1, 2])
def test_statuses_and_latencies_are_those_of_all_processes(desk, processes):
    desk.numbered(100)
    listener = Listener()
    with Server(answer) as server:
        summary = asyncio.run(run(server.url, processes, listener))
    told = listener.progress.answers
    assert told.statuses == {200: 86, 400: 10, NO_STATUS: 4}
    assert sum(told.latencies) == summary.requests == 100
    assert told.seconds >= 86 * 0.02
    assert 0.02 <= told.latency(0.5) < 10
