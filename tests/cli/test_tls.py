"""TLS and proxies that can never work: one sentence, at once, and nothing else on the screen."""

import socket
import ssl
import threading
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from cli.desk import KEY

CERTIFICATE = Path(__file__).parents[1] / "sink" / "localhost.pem"


@contextmanager
def listening(context=None):
    """A server that answers each connection once, with TLS where there is a context; gives its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def converse(connection):
            with suppress(OSError), connection:
                if context is not None:
                    connection = context.wrap_socket(connection, server_side=True)
                connection.recv(65_536)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

        def accept():
            with suppress(OSError):
                while True:
                    threading.Thread(target=converse, args=(server.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def send(desk, port, **env):
    desk.numbered(60)
    url = f"https://localhost:{port}/v1/track"
    common = ("--map", "map.toml", "--url", url, "--yes", "--rate", "none", "--quiet")
    return desk.alone("send", "rows.csv", *common, env={"HACKLE_API_KEY": KEY, **env})


def context(**limits):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(CERTIFICATE)
    for name, value in limits.items():
        setattr(made, name, value)
    return made


def test_a_certificate_of_an_unknown_authority_is_one_sentence_that_names_what_helps(desk):
    with listening(context()) as port:
        ended = send(desk, port)
    assert ended.code == 1
    assert "SSL_CERT_FILE" in ended.err
    assert "never retrieved" not in ended.err
    assert "Traceback" not in ended.err
    assert len(ended.err.strip().splitlines()) == 1
    assert desk.summary["rows"]["pending"] == 60


def test_a_port_that_does_not_speak_tls_stops_the_run_at_once(desk):
    with listening() as port:
        ended = send(desk, port)
    assert (ended.code, desk.summary["stopped_by"]) == (1, "destination")
    assert "does not speak TLS" in ended.err
    assert desk.summary["rows"]["pending"] == 60


def test_a_server_without_a_common_cipher_stops_the_run_at_once(desk):
    made = context(maximum_version=ssl.TLSVersion.TLSv1_2)
    made.set_ciphers("AES128-SHA:@SECLEVEL=0")
    with listening(made) as port:
        ended = send(desk, port, SSL_CERT_FILE=str(CERTIFICATE))
    assert (ended.code, desk.summary["stopped_by"]) == (1, "destination")
    assert "no TLS version or cipher" in ended.err


@pytest.mark.parametrize("proxy", ["http://[::1", "http://proxy:port", "http://"])
def test_a_malformed_proxy_is_one_sentence_before_a_run_begins(desk, proxy):
    ended = send(desk, 1, https_proxy=proxy, no_proxy="", NO_PROXY="")
    assert (ended.code, ended.out) == (1, "")
    assert "https_proxy" in ended.err
    assert len(ended.err.strip().splitlines()) == 1
    assert desk.runs == []
