"""Which proxy the environment names for the destination."""

from __future__ import annotations

import urllib.request
from urllib.parse import urlsplit

from replay.errors import DestinationError


def proxy_for(url: str) -> str | None:
    """The proxy for an address; never one for plain http, which goes to loopback only.

    Raises DestinationError for a proxy that speaks anything but http or https.
    """
    parts = urlsplit(url)
    if parts.scheme != "https" or urllib.request.proxy_bypass(parts.hostname or ""):
        return None
    proxies = urllib.request.getproxies()
    proxy = proxies.get("https") or proxies.get("all")
    if not proxy:
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    scheme = urlsplit(proxy).scheme
    if scheme not in ("http", "https"):
        raise DestinationError(
            f"The environment names a {scheme} proxy for https, and rows can go only through an http one. "
            "Set https_proxy to an http proxy, or no_proxy to the destination's host."
        )
    return proxy
