"""Which proxy the environment names for the destination."""

from __future__ import annotations

import urllib.request
from urllib.parse import urlsplit

from yarl import URL

from replay.errors import DestinationError


def proxy_for(url: str) -> str | None:
    """The proxy for an address; never one for plain http, which goes to loopback only.

    Raises DestinationError for one that is no address, or speaks anything but http or https.
    """
    parts = urlsplit(url)
    if parts.scheme != "https" or urllib.request.proxy_bypass(parts.hostname or ""):
        return None
    proxies = urllib.request.getproxies()
    named = next((name for name in ("https", "all") if proxies.get(name)), None)
    if named is None:
        return None
    proxy = proxies[named]
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    _refuse_malformed(proxy, f"{named}_proxy")
    scheme = urlsplit(proxy).scheme
    if scheme not in ("http", "https"):
        raise DestinationError(
            f"The environment names a {scheme} proxy for https, and rows can go only through an http one. "
            "Set https_proxy to an http proxy, or no_proxy to the destination's host."
        )
    return proxy


def _refuse_malformed(proxy: str, variable: str) -> None:
    """Raise DestinationError for what is no address. It may hold a password, and is not repeated."""
    try:
        parts = urlsplit(proxy)
        is_address = bool(parts.scheme and parts.hostname) and parts.port != 0 and URL(proxy).host is not None
    except ValueError:
        is_address = False
    if not is_address or not proxy.isprintable() or " " in proxy:
        raise DestinationError(
            f"The environment variable {variable} (or {variable.upper()}) is not the address of a proxy. "
            "Write it like http://proxy:3128, with other characters of a password as %XX, or unset it."
        )
