"""The screen and the teller: a terminal, a log, a narrow or broken one."""

import io
import os
import subprocess
import sys
import threading
import time

import pytest

from struck.realtime.screen import screen as screen_module
from struck.realtime.screen.screen import Screen
from struck.realtime.screen.status import Recording, Status, status_line
from struck.realtime.screen.status_lines import PeakHold, picture_lines, printable
from struck.realtime.screen.teller import REPEAT_SECONDS, Teller

FULL = Status(
    position_seconds=3725.0,
    patch="marimba",
    profile="live",
    input_name="Scarlett 2i2",
    rate_hz=48_000,
    block_frames=64,
    input_rms_db=(-20.0, float("-inf")),
    input_peak_db=(-2.0, float("-inf")),
    output_rms_db=(float("nan"),),
    output_peak_db=(1.5,),
    limiter_db=-3.2,
    events_per_second=12.25,
    voices=33,
    voice_limit=256,
    callback_mean_percent=12.0,
    callback_worst_percent=95.0,
    worker_percent={"encoder": 34.0},
    latency_seconds=0.2314,
    counters={"late": 0, "lost_blocks": 3},
    tempo="clock locked 126.0 bpm",
    recordings=(Recording("a.mcap", 3725.0, 1_234_567, dropped=4), Recording("a.wav", failed=True)),
    peers=("MIDI in Keystation", "OSC 127.0.0.1:9001"),
)


def text_of(lines):
    return ["".join(piece for piece, _ in line) for line in lines]


class Terminal(io.StringIO):
    """A stream that is a terminal or not, of some encoding."""

    def __init__(self, encoding="utf-8"):
        super().__init__()
        self._encoding = encoding

    @property
    def encoding(self):
        return self._encoding


# --- the teller


def test_repeats_are_counted_and_shown_later():
    now = 0.0
    teller = Teller(clock=lambda: now)
    teller.tell("block lost")
    teller.tell("disk\n full")
    assert teller.take() == ["block lost", "disk full"]
    for _ in range(37):
        teller.tell("block lost")
    teller.tell("something else")
    assert teller.take() == ["something else"]
    now = REPEAT_SECONDS
    assert teller.take() == ["block lost (37 times)"]
    assert teller.take() == []
    teller.tell("block lost")
    assert teller.take() == []
    assert teller.take(everything=True) == ["block lost"]


def test_a_few_lines_that_differ_in_numbers_are_all_shown_and_many_are_not():
    now = 0.0
    teller = Teller(clock=lambda: now)
    for port in (1, 2, 1):
        teller.tell(f"MIDI port {port} is lost")
    assert teller.take() == ["MIDI port 1 is lost (2 times)", "MIDI port 2 is lost"]
    shown = []
    for number in range(1000):
        teller.tell(f"{number} blocks lost, {number / 7:.3f} s")
        shown += teller.take()
    assert len(shown) == 5
    assert shown[0] == "0 blocks lost, 0.000 s"
    now = REPEAT_SECONDS
    (line,) = teller.take()
    assert line.startswith("999 blocks lost")
    assert line.endswith("(995 times)")


def test_a_flood_of_different_lines_is_bounded():
    now = 0.0
    teller = Teller(clock=lambda: now)
    for number in range(5000):
        teller.tell("x" * number)
    lines = teller.take()
    assert len(lines) < 100
    assert lines[-1] == f"and {5000 - (len(lines) - 1)} more lines"
    for round_number in range(1000):  # and what it remembers is bounded too
        now += 1.0
        teller.tell("y" * round_number)
        teller.take()
    assert len(teller._kinds) < 1000


def test_many_threads_tell():
    teller = Teller()
    threads = [threading.Thread(target=lambda: [teller.tell("again") for _ in range(500)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert teller.take() == ["again (4000 times)"]


# --- the picture and the line


def test_picture_shows_everything():
    lines = text_of(picture_lines(FULL, 100, unicode=True))
    whole = "\n".join(lines)
    for word in ("1:02:05", "live", "patch marimba", "48000 Hz / 64", "latency 231.4 ms", "Scarlett 2i2"):
        assert word in lines[0] or word in lines[1]
    for word in (
        "events 12.2/s",
        "voices 33/256",
        "limiter -3.2 dB",
        "12 % mean",
        "95 % worst",
        "encoder 34 %",
    ):
        assert word in whole
    for word in (
        "late 0",
        "lost blocks 3",
        "a.mcap 1:02:05 1.2 MB (4 dropped)",
        "STOPPED",
        "OSC 127.0.0.1:9001",
        "clock locked 126.0 bpm",
    ):
        assert word in whole
    assert lines[1].startswith("in 1")
    assert lines[3].startswith("out ")


@pytest.mark.parametrize("width", [1, 8, 20, 37, 60, 80, 100, 500])
@pytest.mark.parametrize("unicode", [True, False])
def test_meters_fit_any_width(width, unicode):
    status = Status(input_rms_db=(-20.0,), input_peak_db=(-10.0,))
    meter = text_of(picture_lines(status, width, unicode))[1]
    assert len(meter) <= max(width, 30)
    if not unicode:
        assert meter.isascii()


def test_bars_grow_with_the_level():
    def filled(level_db):
        status = Status(output_rms_db=(level_db,), output_peak_db=(float("-inf"),))
        return text_of(picture_lines(status, 100, unicode=False))[1].count("#")

    levels = [filled(level) for level in (float("-inf"), float("nan"), -100.0, -60.0, -30.0, -6.0, 0.0, 40.0)]
    assert levels[:4] == [0, 0, 0, 0]
    assert levels[4:] == sorted(levels[4:])
    assert levels[4] > 0
    assert levels[-1] == levels[-2] == 78


def test_an_empty_status_is_shown():
    assert text_of(picture_lines(Status(), 80, unicode=True))[0].startswith("0:00:00")
    assert status_line(Status()).startswith("0:00:00, in - out - dB")


def test_names_cannot_steer_the_terminal():
    evil = "\x1b[2J\x07\r\n\udcff\u202e"
    status = Status(patch=evil, input_rms_db=(0.0,), input_peak_db=(0.0,), input_name=evil, peers=(evil,))
    assert all(line.isprintable() for line in text_of(picture_lines(status, 80, unicode=True)))
    assert printable("Klavier ü 日本") == "Klavier ü 日本"


def test_peaks_hold_and_fall():
    peaks = PeakHold()

    def shown(level_db, at_seconds):
        return peaks.hold(Status(input_peak_db=(level_db,)), at_seconds).input_peak_db[0]

    assert shown(-6.0, 0.0) == -6.0
    assert shown(-40.0, 1.0) == -6.0
    assert shown(-40.0, 2.0) == pytest.approx(-16.0)
    assert shown(-3.0, 2.1) == -3.0
    assert shown(float("-inf"), 60.0) == float("-inf")


def test_the_line_names_only_what_went_wrong():
    line = status_line(FULL)
    assert "3 lost blocks" in line
    assert "late" not in line
    assert "clock locked 126.0 bpm" in line
    assert "a.wav 0:00:00 0 B STOPPED" in line


# --- where there is no terminal


def test_told_lines_come_at_once_with_a_time_and_status_in_between():
    stream, teller = Terminal(), Teller()
    with Screen(lambda: FULL, teller, stream=stream, line_seconds=0.1):
        teller.tell("a \x1b[2J b")
        end = time.monotonic() + 30.0
        while "1:02:05" not in stream.getvalue() and time.monotonic() < end:
            time.sleep(0.01)
        teller.tell("at the very end")
    lines = stream.getvalue().splitlines()
    assert lines[0][8:] == " a ?[2J b"
    assert lines[0][2] == lines[0][5] == ":"
    assert any("1:02:05" in line for line in lines)
    assert lines[-1].endswith("at the very end")
    assert "\x1b" not in stream.getvalue()


def test_without_status_lines_only_what_is_told():
    stream, teller = Terminal("ascii"), Teller()
    with Screen(lambda: FULL, teller, stream=stream, line_seconds=0.0):
        teller.tell("patch Glöckchen")
    assert [line[9:] for line in stream.getvalue().splitlines()] == ["patch Gl?ckchen"]


class GoneStream(Terminal):
    def write(self, text):
        raise BrokenPipeError(32, "Broken pipe")


@pytest.mark.parametrize("how", ["broken", "closed", "none"])
def test_an_output_that_has_gone_harms_nothing(how, monkeypatch):
    faults = []
    monkeypatch.setattr(threading, "excepthook", faults.append)
    stream = GoneStream() if how == "broken" else Terminal()
    if how == "closed":
        stream.close()
    if how == "none":
        monkeypatch.setattr(sys, "stderr", None)
    teller = Teller()
    with Screen(lambda: FULL, teller, stream=None if how == "none" else stream, line_seconds=0.01) as screen:
        teller.tell("nobody hears")
        screen._thread.join(5.0)
        assert not screen._thread.is_alive()
    assert faults == []


def test_a_stuck_output_does_not_hold_up_the_end(monkeypatch):
    gate = threading.Event()

    class StuckStream(Terminal):
        def write(self, text):
            gate.wait()
            return len(text)

    monkeypatch.setattr(screen_module, "_LEAVE_SECONDS", 0.1)
    teller = Teller()
    began = time.monotonic()
    with Screen(lambda: FULL, teller, stream=StuckStream()):
        for _ in range(100):
            teller.tell("does not wait")
    assert time.monotonic() - began < 20.0
    gate.set()


# --- on a terminal

SHOW = """
import sys, threading, time
sys.path.insert(0, sys.argv[1])
from test_screen import FULL
from struck.realtime.screen.screen import Screen
from struck.realtime.screen.teller import Teller
teller = Teller()
what = sys.argv[2]
calls = 0
def status():
    global calls
    calls += 1
    if what == "fault" and calls > 2:
        raise RuntimeError("a bug in the status")
    return FULL
threading.Timer(0.2, teller.tell, ["told: ü"]).start()
with Screen(status, teller) as screen:
    end = time.monotonic() + 20.0
    while calls < 5 and what != "lines" and screen._thread.is_alive() and time.monotonic() < end:
        time.sleep(0.02)
    if what == "lines":
        time.sleep(0.5)
    if what == "raise":
        raise SystemExit(3)
    if what == "gone":
        screen._thread.join(20.0)
print(f"show is over, screen alive {screen._thread.is_alive()}", flush=True)
"""


def run_on_terminal(what, columns=90, **environment):
    """Output on a pseudo terminal, of standard output, and the exit status."""
    pty = pytest.importorskip("pty", reason="needs pseudo terminals")
    import fcntl
    import struct
    import termios

    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    variables = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES", "NO_COLOR")}
    variables |= {"TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8"} | environment
    command = [sys.executable, "-c", SHOW, os.path.dirname(__file__), what]
    with subprocess.Popen(
        command, stdin=slave, stdout=subprocess.PIPE, stderr=slave, env=variables, start_new_session=True
    ) as process:
        os.close(slave)
        shown = b""
        while True:
            try:
                data = os.read(master, 65_536)
            except OSError:  # EIO: the other side is closed
                break
            shown += data
            if not data or (what == "gone" and b"limiter" in shown):
                break
        os.close(master)
        out, _ = process.communicate(timeout=120)
    return shown.decode("utf-8", "replace"), out.decode(), process.returncode


def test_on_a_terminal_the_picture_is_drawn_and_the_terminal_restored():
    shown, out, status = run_on_terminal("show")
    assert (out, status) == ("show is over, screen alive False\n", 0)
    assert "patch marimba" in shown
    assert "━" in shown
    assert "told: ü" in shown
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") == 1  # the cursor goes and comes back
    assert shown.rindex("\x1b[?25h") > shown.rindex("patch marimba")


@pytest.mark.parametrize(("what", "status"), [("raise", 3), ("fault", 0)])
def test_the_terminal_is_restored_after_an_exception(what, status):
    shown, _, returned = run_on_terminal(what)
    assert returned == status
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") == 1
    assert ("RuntimeError: a bug in the status" in shown) == (what == "fault")


def test_a_terminal_that_goes_away_harms_nothing():
    _, out, status = run_on_terminal("gone")
    assert (out, status) == ("show is over, screen alive False\n", 0)


def test_a_narrow_ascii_terminal():
    shown, out, status = run_on_terminal("show", columns=12, PYTHONIOENCODING="ascii")
    assert (out, status) == ("show is over, screen alive False\n", 0)
    assert "told: ?" in shown
    assert shown.isascii()


def test_a_dumb_terminal_gets_lines():
    shown, out, status = run_on_terminal("lines", TERM="dumb")
    assert "\x1b" not in shown
    assert status == 0
    assert "told: ü" in shown
    assert out.startswith("show is over")
