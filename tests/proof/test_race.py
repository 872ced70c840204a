"""A server that closes idle connections costs no row: none is lost or sent twice, hardly one is in doubt."""

from __future__ import annotations

from proof.race import IDLE_MAX, judged


def test_a_server_that_closes_idle_connections_costs_no_row() -> None:
    rows = 3_000
    found = judged(rows, None, IDLE_MAX)
    assert (found["lost"], found["twice"]) == (0, 0)
    assert found["delivered"] + found["ambiguous"] == rows
    assert found["attempts"] == rows  # a connection that is gone costs no try
    assert found["ambiguous"] <= rows / 100  # what was closed while a request was on its way
