"""OSCQuery: every attribute and status code, changes in their order, and no loops."""

import asyncio
import json
import time
from functools import partial

import numpy as np
import pytest

from struck.codec.transforms.transform import TransformSettings
from struck.realtime.engine.parameters import PARAMETER, PARAMETERS
from struck.realtime.osc import namespace as osc
from struck.realtime.osc.address_book import insert_leaf
from struck.realtime.osc.packets import read_message, split_packet, write_message, write_values
from struck.realtime.osc.sender import OscSender

from ...codec.playing.decoder_events import event
from ..osc.osc_host import udp_socket
from .control_host import ControlHost, listen, receive, settle


@pytest.fixture(scope="module")
def host():
    with ControlHost() as host:
        yield host


def control(name, *values):
    return write_message(osc.CONTROL, *values, name=name)


def leaves_of(node):
    if "CONTENTS" not in node:
        yield node
    for below in node.get("CONTENTS", {}).values():
        yield from leaves_of(below)


def test_host_info(host):
    info = host.json("/?HOST_INFO")
    assert info["OSC_PORT"] == info["WS_PORT"] == host.port
    assert info["OSC_TRANSPORT"] == "UDP"
    assert info["EXTENSIONS"]["LISTEN"]
    assert host.json("/struck/control?HOST_INFO") == info


def test_every_node_says_where_it_is_and_containers_say_what_is_in_them(host):
    def check(path, node):
        assert node["FULL_PATH"] == path
        assert ("TYPE" in node) != ("CONTENTS" in node)
        for name, below in node.get("CONTENTS", {}).items():
            check(path.rstrip("/") + "/" + name, below)

    check("/", host.json("/"))


def test_the_tree_has_every_address_that_comes_in(host):
    found = {node["FULL_PATH"] for node in leaves_of(host.json("/"))}
    wanted = {r.address for r in osc.NAMESPACE if r.comes_in and osc.NAME not in r.address} - {
        "/struck/stats"
    }
    assert found >= wanted | {f"/struck/control/{p.name}" for p in PARAMETERS}


@pytest.mark.parametrize("parameter", PARAMETERS, ids=lambda p: p.name)
def test_a_control_is_told_as_the_table_has_it(host, parameter):
    node = host.json(f"/struck/control/{parameter.name}")
    assert node["TYPE"] == "f"
    assert node["ACCESS"] == 3
    assert node["RANGE"] == [{"MIN": parameter.low, "MAX": parameter.high}]
    assert node["CLIPMODE"] == ["both"]
    assert node["DESCRIPTION"] == parameter.meaning
    assert len(node["VALUE"]) == 1
    assert ("UNIT" in node) == bool(parameter.unit)


@pytest.mark.parametrize(
    ("path", "attribute", "value"),
    [
        ("/struck/control/dry_db", "FULL_PATH", "/struck/control/dry_db"),
        ("/struck/control/dry_db", "TYPE", "f"),
        ("/struck/control/dry_db", "ACCESS", 3),
        ("/struck/control/dry_db", "RANGE", [{"MIN": -60.0, "MAX": 12.0}]),
        ("/struck/control/dry_db", "UNIT", ["gain.db"]),
        ("/struck/control/dry_db", "CLIPMODE", ["both"]),
        ("/struck/panic", "TYPE", "N"),
        ("/struck/panic", "ACCESS", 2),
        ("/struck/panic", "CRITICAL", True),
        ("/struck/patch", "VALUE", ["default"]),
        ("/struck/phrase", "TYPE", "iis"),
        ("/struck/phrase", "CLIPMODE", ["none", "none", "none"]),
    ],
)
def test_one_attribute(host, path, attribute, value):
    assert host.json(f"{path}?{attribute}") == {attribute: value}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/struck/panic?VALUE", 204),
        ("/struck/control?VALUE", 204),
        ("/struck/control/dry_db?CRITICAL", 204),
        ("/struck/control/dry_db?CONTENTS", 204),
        ("/struck/control/dry_db?value", 400),
        ("/struck/control/dry_db?HTML", 400),
        ("/struck/control/unknown", 404),
        ("/struck/unknown?VALUE", 404),
        ("/screen/../control.py", 404),
        ("/screen/%2e%2e/control.py", 404),
    ],
)
def test_statuses(host, path, status):
    assert host.get(path)[0] == status


def test_the_type_of_a_container_is_an_empty_object(host):
    assert host.json("/struck?TYPE") == {}


def test_a_listener_sees_a_thousand_changes_in_their_order(host):
    values = np.linspace(-48.0, 48.0, 1_000).astype(np.float32)

    async def run():
        async with host.connect() as socket:
            await listen(socket, "/struck/control/transpose")
            await settle(socket)
            for value in values:
                host.stage.set_control("transpose", float(value))
            return await receive(socket, len(values))

    found = asyncio.run(run())
    assert [address for address, _ in found] == ["/struck/control/transpose"] * len(values)
    assert [value for _, (value,) in found] == values.tolist()


def test_only_what_is_listened_to_is_told_and_no_more_once_it_is_ignored(host):
    async def run():
        async with host.connect() as socket:
            await listen(socket, "/struck/control/decay", "/struck/patch")
            await settle(socket)
            host.stage.set_control("attack", 2.5)
            host.stage.set_control("decay", 2.5)
            host.stage.load_patch("bells")
            found = await receive(socket, 2)
            await socket.send(json.dumps({"COMMAND": "IGNORE", "DATA": "/struck/control/decay"}))
            await settle(socket)
            host.stage.set_control("decay", 3.5)
            host.stage.load_patch("pad")
            return found + await receive(socket, 1)

    assert asyncio.run(run()) == [
        ("/struck/control/decay", [2.5]),
        ("/struck/patch", ["bells"]),
        ("/struck/patch", ["pad"]),
    ]


def test_a_change_by_udp_is_told(host):
    async def run():
        async with host.connect() as socket:
            await listen(socket, "/struck/control/room")
            await settle(socket)
            with udp_socket() as sender:
                sender.sendto(control("room", 2.0), ("127.0.0.1", host.port))
                return await receive(socket, 1)

    assert asyncio.run(run()) == [("/struck/control/room", [2.0])]


def test_osc_by_websocket_sets_asks_and_loads(host):
    async def run():
        async with host.connect() as socket:
            await socket.send(control("events_db", -6.0))
            await socket.send(write_message(osc.PATCH, "pad"))
            await socket.send(b"/struck/control/events_db\0\0\0,\0\0\0")
            return await receive(socket, 1)

    assert asyncio.run(run()) == [("/struck/control/events_db", [-6.0])]
    assert host.json("/struck/patch?VALUE") == {"VALUE": ["pad"]}


def test_what_comes_and_goes_is_told(host):
    leaves = []
    host.book.add_source(lambda: leaves)
    address = "/struck/insert/plate/wet"

    async def run():
        async with host.connect() as socket:
            await settle(socket)
            leaves.append(insert_leaf("plate", "wet", 0.0, 1.0, "", lambda: 0.5))
            told = [await commands(socket, address)]
            leaves[0] = insert_leaf("plate", "wet", 0.0, 2.0, "", lambda: 0.5)
            told.append(await commands(socket, address))
            leaves.clear()
            told.append(await commands(socket, address))
            return told

    async def commands(socket, address):
        async with asyncio.timeout(20.0):
            while True:
                message = await socket.recv()
                if isinstance(message, str) and json.loads(message)["DATA"] == address:
                    return json.loads(message)["COMMAND"]

    assert asyncio.run(run()) == ["PATH_ADDED", "PATH_CHANGED", "PATH_REMOVED"]


def test_the_parameter_of_an_insert_is_a_node_like_any_other(host):
    host.book.add_source(lambda: [insert_leaf("tube amp", "drive", -6.0, 24.0, "dB", lambda: 3.0)])
    node = host.json("/struck/insert/tube_amp/drive")
    assert node["VALUE"] == [3.0]
    assert node["RANGE"] == [{"MIN": -6.0, "MAX": 24.0}]
    assert node["CLIPMODE"] == ["none"]
    assert node["UNIT"] == ["gain.db"]

    async def run():
        async with host.connect() as socket:
            await listen(socket, "/struck/insert/tube_amp/drive")
            await settle(socket)
            host.stage.set_insert("tube amp", "drive", 6.0)
            return await receive(socket, 1)

    assert asyncio.run(run()) == [("/struck/insert/tube_amp/drive", [6.0])]


def test_a_counter_that_is_listened_to_is_told_when_it_moves(host):
    host.stage.count("midi_messages")

    async def run():
        async with host.connect() as socket:
            await listen(socket, "/struck/stats/midi_messages")
            await settle(socket)
            await asyncio.sleep(1.2)  # seen once
            host.stage.count("midi_messages", 5)
            while True:
                (found,) = await receive(socket, 1)
                if found[0] == "/struck/stats/midi_messages":
                    return found

    assert asyncio.run(run()) == ("/struck/stats/midi_messages", [6])


def test_who_sets_a_control_beyond_its_end_is_told_where_it_stands(host):
    async def run():
        async with host.connect() as socket:
            await socket.send(control("output_db", 99.0))
            return await receive(socket, 1)

    assert asyncio.run(run()) == [("/struck/control/output_db", [PARAMETER["output_db"].high])]


def test_two_programs_that_pass_on_what_they_are_told_come_to_rest(host):
    """Each sends back whatever it hears: without care two values would chase each other for ever."""

    async def mirror(socket, heard):
        async for packet in socket:
            heard.append(packet)
            await socket.send(packet)

    async def run():
        heard = []
        async with host.connect() as one, host.connect() as other:
            await listen(one, "/struck/control/room_mix")
            await listen(other, "/struck/control/room_mix")
            await settle(one)
            await settle(other)
            mirrors = [asyncio.create_task(mirror(socket, heard)) for socket in (one, other)]
            for value in (0.25, 0.5, 0.75):
                host.stage.set_control("room_mix", value)
            deadline = time.monotonic() + 20.0
            count = -1
            while count != len(heard) and time.monotonic() < deadline:
                count = len(heard)
                await asyncio.sleep(0.5)
            for task in mirrors:
                task.cancel()
        return len(heard), count

    told, settled = asyncio.run(run())
    assert told == settled


def test_patterns_set_many_and_ask_for_many(host):
    many = write_message(osc.CONTROL, -3.0, name="{events,phrases}_db")
    with udp_socket() as socket:
        socket.sendto(many, ("127.0.0.1", host.port))
        socket.sendto(
            write_message(osc.PING).replace(b"/struck/ping", b"/struck/p?t*"), ("127.0.0.1", host.port)
        )
        (asked,) = split_packet(socket.recv(2_048))
    assert read_message(asked.message)[0] == "/struck/patch"
    controls = host.stage.controls()
    assert controls["events_db"] == controls["phrases_db"] == -3.0


def test_no_pattern_is_a_panic(host):
    before = host.stage.counts().get("panics", 0)
    with udp_socket() as socket:
        socket.sendto(b"/struck/pan*\0\0\0\0,\0\0\0", ("127.0.0.1", host.port))
        socket.sendto(write_message(osc.PING), ("127.0.0.1", host.port))
        assert read_message(socket.recv(2_048))[0] == "/struck/pong"
    assert host.stage.counts().get("panics", 0) == before


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"COMMAND": 1}', '{"COMMAND": "LISTEN", "DATA": {}}', "[" * 60_000]
)
def test_garbage_in_text_is_left_aside(host, text):
    async def run():
        async with host.connect() as socket:
            await socket.send(text)
            await settle(socket)
            await socket.send(control("decay", 1.5))
            await settle(socket)

    asyncio.run(run())
    assert host.stage.controls()["decay"] == 1.5


def test_garbage_in_bytes_is_counted(host):
    before = host.stage.counts().get("osc_rejected", 0)

    async def run():
        async with host.connect() as socket:
            for packet in (b"", b"\0", b"no osc", b"#bundle\0", b"/" * 1_000):
                await socket.send(packet)
            await settle(socket)
            await socket.send(b"/struck/patch\0\0\0,\0\0\0")
            return await receive(socket, 1)

    assert asyncio.run(run())[0][0] == "/struck/patch"
    assert host.stage.counts()["osc_rejected"] - before == 5


def test_the_values_of_transforms_are_nodes_that_can_be_turned_and_listened_to(host):
    host.stage.change_transforms([TransformSettings("delay"), TransformSettings("freeze")])
    node = host.json("/struck/transform/delay/time")
    assert (node["TYPE"], node["VALUE"], node["RANGE"]) == ("f", [0.75], [{"MIN": 0.01, "MAX": 60.0}])
    assert "the pedal" in host.json("/struck/transform/freeze/hold")["DESCRIPTION"]
    assert host.get("/struck/transform/delay/unit")[0] == 404

    async def run():
        async with host.connect() as socket, host.connect() as hand:
            await listen(socket, "/struck/transform/delay/time")
            await settle(socket)
            await hand.send(write_values("/struck/transform/delay/time", osc.CONTROL.arguments, (1.5,)))
            return await receive(socket, 1)

    assert asyncio.run(run()) == [("/struck/transform/delay/time", [1.5])]
    assert host.stage.transform("delay").values["time"] == 1.5


def test_events_come_by_websocket_to_who_subscribes(host):
    sender = OscSender(host.stage, (), host.osc)
    peers = host.actor.subscribers.peers
    sender.others = lambda: [(peer, partial(host.control.send_to, peer)) for peer in peers()]
    host.stage.add_sink(sender)

    async def run():
        async with host.connect() as socket:
            await socket.send(write_message(osc.SUBSCRIBE))
            (address, (_, remaining)), _latency = await receive(socket, 2)
            assert (address, remaining) == ("/struck/subscribed", pytest.approx(60.0))
            with sender:
                sounding = host.stage.play(event(1.0), "heard")
                host.stage.end(sounding.id, 2.0)
                found = await receive(socket, 2)
            await socket.send(write_message(osc.UNSUBSCRIBE))
            await receive(socket, 1)
            return sounding.id, found

    id, found = asyncio.run(run())
    assert [(address, values[0]) for address, values in found] == [("/struck/event", id), ("/struck/end", id)]
    assert peers() == []
