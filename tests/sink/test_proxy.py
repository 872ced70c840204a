"""Which proxy the environment names, if any."""

from __future__ import annotations

import pytest

from replay.errors import DestinationError
from replay.sink.proxy import proxy_for

URL = "https://api.hackle.io/v1/track"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def test_there_is_none_where_none_is_named() -> None:
    assert proxy_for(URL) is None


@pytest.mark.parametrize("name", ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])
def test_https_takes_the_proxy_of_https_or_of_all(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "http://proxy:3128")
    assert proxy_for(URL) == "http://proxy:3128"


def test_a_proxy_without_a_scheme_is_an_http_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "proxy:3128")
    assert proxy_for(URL) == "http://proxy:3128"


def test_the_proxy_of_http_is_not_for_https(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy:3128")
    assert proxy_for(URL) is None


@pytest.mark.parametrize("spared", ["api.hackle.io", "hackle.io", "*"])
def test_a_spared_host_takes_none(spared: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    monkeypatch.setenv("no_proxy", spared)
    assert proxy_for(URL) is None


def test_http_goes_to_loopback_and_takes_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("all_proxy", "http://proxy:3128")
    assert proxy_for("http://127.0.0.1:8790/v1/track") is None


def test_a_proxy_that_speaks_socks_is_refused_without_showing_its_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("all_proxy", "socks5://jane:hush@proxy:1080")
    with pytest.raises(DestinationError, match="socks5 proxy") as caught:
        proxy_for(URL)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    "proxy",
    [
        "http://[::1",
        "http://",
        "http://:3128",
        "://proxy",
        "http://proxy:port",
        "http://proxy:99999",
        "http://proxy:0",
        "http://jane:hu/sh@proxy:3128",
        "http://pro xy:3128",
        "http://proxy:3128\x07",
    ],
)
def test_a_proxy_that_is_no_address_is_refused_in_one_sentence_without_showing_its_password(
    proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(DestinationError, match="https_proxy") as caught:
        proxy_for(URL)
    assert "hu/sh" not in str(caught.value)
