"""Those who mean harm to a control port: floods of connections, clients that do not read, garbage."""

import contextlib
import random
import socket
import time

UPGRADE = (
    "GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def open_many(port, count, at_once=300, host="127.0.0.1"):
    """Open connections that say nothing, and hold on to the last of them."""
    held = []
    for _ in range(count):
        with contextlib.suppress(OSError):
            held.append(socket.create_connection((host, port), 2.0))
        if len(held) > at_once:
            held.pop(0).close()
    for own in held:
        own.close()


def open_slow_readers(port, count, path="/live", host="127.0.0.1"):
    """Pages that never read what they are sent."""
    found = []
    for _ in range(count):
        own = socket.socket()
        own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        own.settimeout(5.0)
        own.connect((host, port))
        own.sendall(UPGRADE.format(path=path, host=host, port=port).encode())
        found.append(own)
    return found


def send_garbage(port, count, seed=1, host="127.0.0.1"):
    """Bytes of all kinds: before, in place of and after a WebSocket's opening."""
    rng = random.Random(seed)
    for number in range(count):
        with contextlib.suppress(OSError), socket.create_connection((host, port), 2.0) as own:
            if number % 2:
                own.sendall(UPGRADE.format(path="/", host=host, port=port).encode())
                own.recv(1_024)
            own.sendall(rng.randbytes(rng.randrange(1, 20_000)))


def send_long_frames(port, count, host="127.0.0.1", seconds=0.5):
    """Frames of 100 MB, as far as anybody takes them, each for so long at most."""
    for _ in range(count):
        with contextlib.suppress(OSError), socket.create_connection((host, port), 2.0) as own:
            own.sendall(UPGRADE.format(path="/", host=host, port=port).encode())
            own.recv(1_024)
            own.sendall(b"\x82\xff" + (100_000_000).to_bytes(8, "big") + bytes(4))
            began = time.monotonic()
            while time.monotonic() - began < seconds:
                own.sendall(bytes(65_536))
