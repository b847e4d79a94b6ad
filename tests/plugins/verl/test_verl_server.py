"""The server of lines: a token first, then an answer per line, whatever arrives."""

from __future__ import annotations

import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness_verl.server import LineServer


class Echo(LineServer):
    """Answers a line with itself in capitals."""

    def answer(self, line: bytes) -> bytes:
        return line.strip().upper()


@pytest.fixture(params=["tcp", "unix"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Echo]:
    address = "tcp:127.0.0.1:0" if request.param == "tcp" else f"unix:{tmp_path}/s"
    with Echo(address) as made:
        yield made


def connected(server: LineServer) -> socket.socket:
    kind, _, rest = server.address.partition(":")
    if kind == "unix":
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(60)
        connection.connect(rest)
        return connection
    host, _, port = rest.rpartition(":")
    return socket.create_connection((host, int(port)), 60)


def said(server: LineServer, *lines: bytes) -> list[bytes]:
    """What a client that says these lines is answered."""
    answers = []
    with connected(server) as connection, connection.makefile("rb") as file:
        for line in lines:
            try:
                connection.sendall(line + b"\n")
                answers.append(file.readline().strip())
            except ConnectionError:  # hung up on
                answers.append(b"")
    return answers


def test_each_line_is_answered_in_order(server: Echo) -> None:
    token = server.token.encode()
    assert said(server, token, b"one", b"two") == [b'{"ok":null}', b"ONE", b"TWO"]


def test_a_wrong_token_is_refused_and_nothing_answered(server: Echo) -> None:
    refusal, silence = said(server, b"0" * 32, b"one")
    assert b"wrong token" in refusal
    assert silence == b""


def test_rubbish_ends_its_own_connection_alone(server: Echo) -> None:
    for rubbish in (b"\x00\xff\n", b"x" * 5000):
        with connected(server) as connection:
            connection.sendall(rubbish)
            connection.shutdown(socket.SHUT_WR)
            connection.recv(4096)
    assert said(server, server.token.encode(), b"still here")[1] == b"STILL HERE"


def test_a_torn_line_is_not_answered(server: Echo) -> None:
    with connected(server) as connection:
        connection.sendall(server.token.encode() + b"\nhalf a li")
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as file:
            assert file.read() == b'{"ok":null}\n'


def test_nobody_else_on_the_machine_can_open_the_socket(tmp_path: Path) -> None:
    with Echo(f"unix:{tmp_path}/s"):
        assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o600
    assert not (tmp_path / "s").exists()
