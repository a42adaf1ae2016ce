"""Who is let in, and what is held out: foreign names, foreign pages, no token, and too much of anything."""

import asyncio
import json
import socket
import struct
from contextlib import closing

import pytest
from websockets.exceptions import InvalidStatus

from struck.codec.events.errors import StruckError
from struck.realtime.control.access import Access, make_token
from struck.realtime.control.port import ControlPort
from struck.realtime.osc import namespace as osc
from struck.realtime.osc.packets import write_message

from .control_host import ELSEWHERE, ControlHost, settle


@pytest.fixture(scope="module")
def host():
    with ControlHost() as host:
        yield host


@pytest.fixture
def stranger():
    """A port for which every client is on another machine."""
    with ControlHost(is_own=False) as host:
        yield host


@pytest.mark.parametrize("header", ["localhost", "localhost:9000", "LOCALHOST", "127.0.0.1:1", "[::1]:9000"])
def test_own_names_are_allowed(header):
    assert Access("localhost").allows_host(header, "127.0.0.1")


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "evil.example",
        "localhost.evil.example",
        "evil@localhost",
        "localhost/",
        "local host",
        "[",
        "0",
    ],
)
def test_other_names_are_not(header):
    assert not Access("localhost").allows_host(header, "127.0.0.1")


def test_the_address_that_was_called_is_allowed_and_its_neighbour_is_not():
    access = Access("0.0.0.0")
    assert access.allows_host("192.168.1.5:9000", "192.168.1.5")
    assert not access.allows_host("192.168.1.6:9000", "192.168.1.5")


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (None, True),
        ("http://localhost:9000", True),
        ("https://localhost:9000", True),
        ("http://localhost:9001", False),
        ("http://evil.example", False),
        ("null", False),
        ("", False),
        ("file://", False),
        ("http://localhost:9000.evil.example", False),
    ],
)
def test_origins(origin, allowed):
    assert Access("localhost").allows_origin(origin, "localhost:9000") is allowed


def test_this_machine_needs_no_token_and_others_do():
    access = Access("0.0.0.0", "secret")
    assert access.may_change("127.0.0.1", None)
    assert access.may_change("::1", None)
    assert access.may_change(ELSEWHERE, "secret")
    assert access.may_change("fe80::1%eth0", "secret")
    for token in (None, "", "secre", "Secret", "sécret"):
        assert not access.may_change(ELSEWHERE, token)


def test_tokens_differ_and_are_not_shown():
    assert make_token() != make_token()
    assert "secret" not in repr(Access("localhost", "secret"))


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Host": ""},
    ],
)
def test_foreign_requests_get_403_and_nothing_else(host, headers):
    for path in ("/", "/struck/control/decay?VALUE", "/?HOST_INFO", "/screen/main.js"):
        assert host.get(path, **headers) == (403, b"")


def test_no_answer_may_be_read_by_other_pages(host):
    assert host.get("/")[0] == 200
    response = host.response("/struck")
    assert not [name for name in response.headers if name.lower().startswith("access-control")]
    assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["/", "/live"])
def test_foreign_pages_open_no_websocket(host, path):
    async def run():
        with pytest.raises(InvalidStatus) as refused:
            async with host.connect(path, origin="http://evil.example"):
                pass
        return refused.value.response.status_code

    assert asyncio.run(run()) == 403


def test_own_pages_do(host):
    async def run():
        async with host.connect("/live", origin=f"http://127.0.0.1:{host.port}") as socket:
            return json.loads(await socket.recv())

    assert asyncio.run(run())["hello"]["may_change"]


@pytest.mark.parametrize("query", ["", "?token=", "?token=wrong", "?token=a-toke"])
def test_without_the_token_nothing_changes_and_all_can_be_seen(stranger, query):
    async def run():
        async with stranger.connect("/live" + query) as socket:
            hello = json.loads(await socket.recv())
            await socket.send(write_message(osc.CONTROL, 5.0, name="decay"))
            await socket.send(write_message(osc.PANIC))
            while "t" not in json.loads(await socket.recv()):
                pass
        async with stranger.connect("/" + query) as socket:
            await socket.send(write_message(osc.CONTROL, 5.0, name="decay"))
        return hello["hello"]["may_change"]

    assert not asyncio.run(run())
    assert stranger.stage.controls()["decay"] == 1.0
    assert "panics" not in stranger.stage.counts()
    assert stranger.json("/struck/control/decay?VALUE") == {"VALUE": [1.0]}


def test_with_the_token_it_does(stranger):
    async def run():
        async with stranger.connect("/?token=a-token") as socket:
            await socket.send(write_message(osc.CONTROL, 5.0, name="decay"))
            await settle(socket)

    asyncio.run(run())
    assert stranger.stage.controls()["decay"] == 5.0


def test_a_message_that_is_too_long_ends_the_connection(host):
    """What claims 100 MB is not waited for: the connection ends at its first bytes."""
    with closing(socket.create_connection(("127.0.0.1", host.port), 10.0)) as own:
        own.sendall(
            f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{host.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        assert b"101" in own.recv(4_096)
        own.sendall(b"\x82\xff" + struct.pack(">Q", 100_000_000) + bytes(4) + bytes(1_000))
        frame = own.recv(4_096)
        assert frame[0] & 0x0F == 8  # a close frame
        assert struct.unpack(">H", frame[2:4]) == (1009,)  # too big
    assert host.json("/?HOST_INFO")["NAME"] == "struck"


def test_a_port_that_is_taken_is_one_clear_line(host):
    with pytest.raises(StruckError, match=rf"^cannot open the control port 127.0.0.1:{host.port} \(TCP\): "):
        ControlPort(host.stage, host.book, host.feed, None, "127.0.0.1", host.port, Access("127.0.0.1"))
