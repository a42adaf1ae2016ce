"""``struck live`` among the programs that it plays with: JACK, FluidSynth, liblo's tools, Pure Data.

Every server, port and file is the test's own. The machine may be busy: where lateness would change what is
compared, the encoder is given more time than it needs (``--compute``), and times are medians.
"""

import itertools
import json
import math
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile

from struck.codec.events.amendments import Amendment, End, in_stream_order, item_seconds
from struck.codec.events.descriptors import DRY, read_descriptors
from struck.codec.events.errors import StruckError
from struck.codec.events.event_spec import ROOM_NAMES
from struck.codec.events.events import Event
from struck.codec.events.profiles import PROFILES
from struck.codec.events.quantize import quantize_events, restore_events
from struck.codec.hearing.following.follower import Follower
from struck.codec.hearing.resampler import StreamingResampler
from struck.codec.pipeline import render_samples
from struck.codec.takes.takes import TakeReader
from struck.codec.weights.codec_weights import default_codec_weights_path, load_codec_weights
from struck.models.codec.sound_fonts import find_sound_font
from struck.realtime.commands import cli
from struck.realtime.devices.jack import load_jack
from struck.realtime.osc.packets import read_message, split_packet, write_event
from struck.realtime.osc.time_tags import IMMEDIATELY

from ..osc.osc_host import make_event
from .jack_probe import jack_probe
from .jack_rig import jack_server
from .live_host import DRY_PATCH, LiveHost, clients, keyboard

CLIENTS = Path(__file__).parents[3] / "patches" / "clients"
#: A 24-bit file rounds down, by at most a step.
STEP = 2.0**-23
#: Compiled code is linked otherwise in the process that compiles it than in those that find it compiled, and
#: its sums may be ordered anew: the last bits of a float differ, by no more than this below full scale.
ROUNDING = 2.0**-24


def need(*tools):
    """Skip the test where a program is missing."""
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing or load_jack() is None:
        pytest.skip(f"{', '.join(missing) or 'libjack'} not installed")


@pytest.fixture(autouse=True)
def deadline():
    """A test that hangs fails, and what it started is ended, by its context managers."""
    seconds = 240

    def give_up(number, frame):
        raise TimeoutError(f"the test took longer than {seconds} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0.0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def weights():
    return load_codec_weights(default_codec_weights_path())


@contextmanager
def program(command, farewell=None):
    """Another program while the body runs, and the lines that it says; told ``farewell``, it ends."""
    process = subprocess.Popen(
        [str(word) for word in command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        bufsize=1,
    )
    process.lines = []
    reader = threading.Thread(
        target=lambda: process.lines.extend(iter(process.stdout.readline, "")), daemon=True
    )
    reader.start()
    try:
        yield process
    finally:
        if farewell is not None and process.poll() is None:
            process.stdin.write(farewell)
            with suppress(subprocess.TimeoutExpired):  # then not politely
                process.wait(5.0)
        if process.poll() is None:
            process.kill()
        process.wait()
        reader.join(5.0)
        process.stdin.close()
        process.stdout.close()


def wait_until(true, seconds=60.0, what="waited in vain"):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, what() if callable(what) else what
        time.sleep(0.02)


def rest(probe, seconds):
    """Wait in JACK's time, which stands still where the machine takes periods away."""
    end = probe.frame_count + seconds * probe.rate
    wait_until(lambda: probe.frame_count >= end)


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as reserved:
        reserved.bind(("127.0.0.1", 0))
        return reserved.getsockname()[1]


def plucks(rate, notes, seconds):
    """Strings plucked at ``notes``, pairs of seconds and Hz: a sharp beginning, eight partials that decay."""
    sound = np.zeros(round(seconds * rate))
    for begin, hz in notes:
        start = round(begin * rate)
        t = np.arange(len(sound) - start) / rate
        for k in range(1, 9):
            if k * hz < 9_000.0:
                sound[start:] += 0.12 / k * np.exp(-(3.0 + k) * t) * np.sin(2.0 * np.pi * k * hz * t)
    return sound.astype(np.float32)


MELODY = [(0.4, 220.0), (0.8, 329.6), (1.1, 440.0), (1.6, 277.2), (2.0, 164.8)]


def write_pluck_file(path, rate, notes=MELODY, seconds=2.5):
    soundfile.write(path, plucks(rate, notes, seconds), rate, subtype="FLOAT")


def read_take(path):
    """A take's events; it must be whole."""
    return [item for item in read_stream(path) if isinstance(item, Event)]


def read_stream(path):
    """A take's events, amendments and ends; it must be whole."""
    take = TakeReader(path)
    assert not take.truncated
    assert take.statistics().gaps == 0
    return list(take.items())


def same_streams(one, other):
    assert [item.id for item in one] == [item.id for item in other]
    assert [item_seconds(item) for item in one] == [item_seconds(item) for item in other]
    assert one == other


def skip_if_held_up(summary):
    """Where the encoder did not get its time, events sound late, and how they would sound cannot be compared.

    That must have been counted, and the margin must say why; late with time to spare is a fault.
    """
    counters = summary["counters"]
    if counters["late"] or counters["unheard_samples"]:
        margin = summary["latency"]["least_margin_seconds"]
        assert margin < 0.0, summary
        pytest.skip(
            f"the machine held the encoder up: {counters['late']} events late, by up to {-margin:.2f} s"
        )
    let_go = {
        name: counters[name]
        for name in ("refits_let_go", "searches_let_go", "amendments_late")
        if counters.get(name)
    }
    if let_go:
        pytest.skip(f"the machine held the encoder up, which did without: {let_go}")


# ---- what sounds alike ---------------------------------------------------------------------------------


def spectra(sound, rate, hop_seconds=0.01):
    """Log power in third octaves from 100 Hz to 8 kHz, ``[T, bands]``, down to 20 dB below the loudest, each
    band without its mean."""
    size, hop = 4_096, round(hop_seconds * rate)
    count = 1 + max(0, len(sound) - size) // hop
    frames = np.stack([sound[i * hop : i * hop + size] for i in range(count)]) * np.hanning(size)
    power = np.abs(np.fft.rfft(frames)) ** 2
    edges = 100.0 * 2.0 ** (np.arange(20) / 3.0) * size / rate
    bands = [power[:, int(a) : max(int(a) + 1, int(b))].sum(1) for a, b in itertools.pairwise(edges)]
    levels = np.stack(bands, 1)
    levels = np.log(levels + 0.01 * levels.max())
    return levels - levels.mean(0)


def likeness(one, other):
    """Correlation of two spectra over the frames both have."""
    count = min(len(one), len(other))
    return float(np.corrcoef(one[:count].ravel(), other[:count].ravel())[0, 1])


def envelope(sound, frames=960):
    """Amplitude, smoothed over more than a period of anything that is played here."""
    return np.convolve(np.abs(sound), np.ones(frames) / frames, "same")


def find_lag(sound, part):
    """Where in ``sound`` the given ``part`` begins, by cross-correlation; negative: before its beginning."""
    size = 1 << (len(sound) + len(part)).bit_length()
    product = np.fft.rfft(sound, size) * np.conj(np.fft.rfft(part, size))
    lag = int(np.argmax(np.fft.irfft(product, size)))
    return lag if lag < len(sound) else lag - size


# ---- FluidSynth ----------------------------------------------------------------------------------------

SCORE = [(60, 0.0), (64, 0.5), (67, 1.0), (72, 1.5), (55, 2.0), (62, 2.35), (59, 2.7), (60, 3.2)]
SCORE_SECONDS = 4.2
LEAD_SECONDS = 2.5


def write_score(path, notes=SCORE, lead_seconds=LEAD_SECONDS):
    midi = mido.MidiFile(ticks_per_beat=480)  # at 120 beats per minute 960 ticks a second
    track = mido.MidiTrack()
    midi.tracks.append(track)
    track.append(mido.Message("program_change", program=0))
    changes = [(begin + lead_seconds, "note_on", note, 90) for note, begin in notes]
    changes += [(begin + lead_seconds + 0.33, "note_off", note, 0) for note, begin in notes]
    now = 0.0
    for at, kind, note, velocity in sorted(changes):
        track.append(mido.Message(kind, note=note, velocity=velocity, time=round(960 * (at - now))))
        now = at
    midi.save(path)


@pytest.mark.jack
def test_fluidsynth_plays_into_struck(tmp_path):
    need("jackd", "fluidsynth", "oscdump")
    try:
        font = find_sound_font()
    except StruckError as error:
        pytest.skip(str(error))
    score, take, wav = tmp_path / "score.mid", tmp_path / "show.mcap", tmp_path / "show.wav"
    write_score(score)
    port = free_port()
    with jack_server(48_000, 1024) as server:
        # Audio and MIDI of one server are one client, named as the MIDI's.
        command = ["fluidsynth", "-a", "jack", "-m", "jack", "-o", "midi.jack.id=piano"]
        command += ["-r", "48000", "-R", "0", "-C", "0", "-g", "0.8", font, score]
        with (
            program(["oscdump", "-L", port]) as dump,
            # A client that is killed takes the server's end with it.
            program(command, "quit\n") as fluidsynth,
            jack_probe(server, 60.0) as probe,
        ):
            wait_until(lambda: "piano" in clients(server), what=lambda: str(fluidsynth.lines))
            time.sleep(0.5)  # it begins to play, which it must have before it can be held up until all listen
            fluidsynth.stdin.write("player_stop\n")
            arguments = [
                "--input",
                "jack:piano",
                "--output",
                "jack:system",
                "--osc-send",
                f"127.0.0.1:{port}",
            ]
            recording = ["--compute", "1000", "--record", take, "--record-audio", wav]
            with LiveHost(server, *arguments, *recording) as host:
                server.connect(f"{host.client}:out_1", probe.tape[0])
                server.connect("piano:left", probe.tape[1])
                fluidsynth.stdin.write("player_cont\n")
                rest(probe, LEAD_SECONDS + SCORE_SECONDS + 2.2)
                summary = host.stop()
            tape = probe.recorded()
            sent = len(read_take(take))  # beside amendments and ends
            wait_until(lambda: len(told(dump)) >= sent, what=lambda: f"{len(told(dump))} of {sent}")
    # the summary
    assert (summary["input"], summary["output"]) == ("jack:piano", "jack:system")
    assert summary["recordings"] == {str(take): True, str(wav): True}
    # the take and what was told of it
    events = read_take(take)
    assert summary["counters"]["events_heard"] >= len(events) >= len(SCORE)
    marks = [mark.value for mark in TakeReader(take).marks()]
    assert marks[0]["kind"] == "start"
    assert marks[0]["engine_seconds"] == summary["latency"]["engine_seconds"]
    check_told(told(dump), events, summary)
    # what was recorded is what went out to JACK ...
    sound, rate = soundfile.read(wav, dtype="float32")
    assert rate == 48_000
    loud = sound[:, 0]
    assert np.abs(loud).max() > 0.01
    places = find_blocks(tape[:, 0], loud, 1024)
    counters = summary["counters"]
    audible, found = np.flatnonzero(places >= -1), np.flatnonzero(places >= 0)
    assert len(audible) > 100
    assert (np.diff(places[found]) > 0).all()
    # ... but for periods that JACK has lost, which are counted
    lost = len(audible) - len(found)
    assert lost <= min(counters["device_xruns"], 0.3 * len(audible)), (places, counters)
    skip_if_held_up(summary)
    # ... and like what came in, as much later as the ledger says, but not otherwise. JACK hands the
    # same period to struck and to the tape, and after a lost one struck's time goes on where it was.
    blocks = np.arange(len(places))
    lags = (places - blocks)[found][np.clip(np.searchsorted(found, blocks) - 1, 0, None)]
    source = tape[: len(tape) // 1024 * 1024, 1].reshape(-1, 1024)
    came = source[np.clip(blocks + lags, 0, len(source) - 1)].ravel()
    latency = round(summary["latency"]["engine_seconds"] * rate)
    begin = int(np.argmax(np.abs(came) > 0.003)) - rate // 5
    heard = spectra(came[begin : begin + 5 * rate], rate)

    def played(shift):
        return spectra(loud[begin + shift : begin + shift + 5 * rate], rate)

    right = likeness(heard, played(latency))
    wrong = [likeness(heard, played(latency + round(shift * rate))) for shift in (-0.25, 0.2, 0.6)]
    other = likeness(spectra(came[begin : begin + 5 * rate][::-1], rate), played(latency))
    assert right > 0.5, (right, wrong, other, summary)
    assert right > max(*wrong, other) + 0.15, (right, wrong, other)


def told(dump):
    """Time tag in seconds, type tags, number and gain of each event that oscdump has printed."""
    pattern = r"(\w{8})\.(\w{8}) /struck/event (\w+) (\d+) (\S+)"
    found = [re.match(pattern, line) for line in list(dump.lines)]
    return [
        (int(match[1], 16) + int(match[2], 16) / 2.0**32, match[3], int(match[4]), float(match[5]))
        for match in found
        if match
    ]


def check_told(told, events, summary):
    """Each event was told once, and when it sounds.

    By their tags, not in the order of their numbers: oscdump shows a bundle at its time, and one that comes
    too late at once, before others that are due as well.
    """
    told = sorted(told, key=lambda row: row[2])
    assert [number for _, _, number, _ in told] == list(range(1, len(told) + 1))
    assert len(events) <= len(told) < summary["counters"]["osc_sent"]  # beside amendments and ends
    assert {tags for _, tags, _, _ in told} == {"iffffffsb"}
    # The take is in the order of onsets, and without what was cancelled by the end.
    left = list(told)
    beginnings = []
    for event in events:
        row = next(row for row in left if abs(row[3] - event.gain_db) < 1e-4)
        left.remove(row)
        beginnings.append(row[0] - event.onset_seconds)
    # The stream lags behind the clock by what JACK loses, and no further; besides, a period may come late.
    period_seconds = summary["block_frames"] / summary["rate_hz"]
    lost_periods = summary["counters"]["device_xruns"] * summary["interval_worst_percent"] / 100.0
    assert np.ptp(beginnings) <= (2.0 + lost_periods) * period_seconds, (beginnings, summary)


def find_blocks(tape, sound, frames):
    """In which block of ``tape`` each of ``sound`` stands, to the sample: -1 in none, -2 if it is soft."""
    cut = [array[: len(array) // frames * frames].reshape(-1, frames) for array in (tape, sound)]
    places = np.full(len(cut[1]), -2)
    for i, block in enumerate(cut[1]):
        if np.abs(block).max() > 0.01:
            distances = np.abs(cut[0] - block).max(1)
            places[i] = int(distances.argmin()) if distances.min() <= STEP + ROUNDING else -1
    return places


# ---- MIDI ----------------------------------------------------------------------------------------------


@pytest.mark.jack
def test_midi_notes_sound_at_once(tmp_path):
    need("jackd")
    pytest.importorskip("rtmidi", reason="python-rtmidi is not installed (make live)")
    block, rate = 256, 48_000
    notes = [57, 64, 69, 72, 60, 76]
    with jack_server(rate, block) as server, jack_probe(server, 60.0) as probe:
        take, patch = tmp_path / "notes.mcap", tmp_path / "dry.toml"
        patch.write_text(DRY_PATCH, encoding="utf-8")
        arguments = [
            "--patch",
            patch,
            "--input",
            "none",
            "--output",
            "jack:system",
            "--midi-in",
            "virtual:keys",
            "--record",
            take,
        ]
        with LiveHost(server, *arguments) as host:
            server.connect(f"{host.client}:out_1", probe.tape[0])
            with keyboard(server) as sender:
                rest(probe, 0.3)
                sent, undisturbed = [], []
                for note in notes:
                    lost = probe.lost
                    # while JACK is held up it has no time; what comes, comes in its next period
                    sent.append(min(probe.frame_at(time.monotonic()), probe.frame_count + block))
                    sender.send_message([0x90, note, 100])
                    rest(probe, 0.5)
                    undisturbed.append(probe.lost == lost)
                    released = probe.frame_count
                    sender.send_message([0x80, note, 0])
                    rest(probe, 1.2)
                tape = probe.recorded()[:, 0]
            summary = host.stop()
    assert summary["counters"]["events_midi"] == len(notes)
    assert summary["counters"]["midi_messages"] == 2 * len(notes)
    assert len(list(TakeReader(take).midi())) == 2 * len(notes)
    delays = []
    for note, frame, whole in zip(notes, sent, undisturbed, strict=True):
        begin = int(frame)
        sound = tape[begin : begin + rate // 2]
        before = np.abs(tape[begin - rate // 20 : begin]).max()
        assert np.abs(sound).max() > 0.01
        if not whole:  # JACK has lost periods of it
            continue
        delays.append(int(np.argmax(np.abs(sound) > 10.0 * before + 1e-4)))
        steady = sound[rate // 10 :] * np.hanning(len(sound) - rate // 10)
        power = np.abs(np.fft.rfft(steady, 1 << 17))
        hz = float(np.argmax(power) * rate / (1 << 17))
        assert 12.0 * abs(math.log2(hz / (440.0 * 2.0 ** ((note - 69) / 12.0)))) < 0.5, (note, hz)
    # A message waits up to a period until JACK takes it along, then sounds a block after it came. Two more
    # periods are for the sound's own rise and for a machine that does other things.
    assert not delays or np.median(delays) <= 4 * block, delays
    end = released + rate // 10
    assert np.abs(tape[end + rate // 2 : end + rate]).max() < 0.02 * np.abs(tape[int(sent[-1]) : end]).max()
    if not delays:
        pytest.skip(f"JACK lost {probe.lost} periods, some in every note: how late they were cannot be told")


# ---- drivers agree -------------------------------------------------------------------------------------


@pytest.mark.jack
@pytest.mark.parametrize(
    ("profile", "rate", "options"),
    [
        ("live", 48_000, []),
        ("tight", 44_100, ["--duration", "4.0"]),
        ("live", 44_100, ["--exact", "--duration", "4.0"]),
        ("instant", 48_000, []),
        ("tight", 48_000, ["--exact", "--duration", "4.0"]),
    ],
)
def test_jack_plays_what_the_file_driver_plays(profile, rate, options, tmp_path, weights):
    need("jackd")
    source = tmp_path / "in.wav"
    write_pluck_file(source, rate)
    common = ["--profile", profile, "--compute", "1000", "--rate", str(rate), "--block", "512", *options]
    takes = {name: tmp_path / f"{name}.mcap" for name in ("jack", "file")}
    sounds = {name: tmp_path / f"{name}.wav" for name in ("jack", "file")}
    with jack_server(rate, 512) as server:
        arguments = [*common, "--input", source, "--output", "jack:system"]
        arguments += ["--record", takes["jack"], "--record-audio", sounds["jack"]]
        with LiveHost(server, *arguments) as host:
            summary = host.wait(60.0)
    # Periods that JACK has lost do not matter: the stream stands still meanwhile, and so do its recordings.
    for fault in ("starved_samples", "unrecorded_samples", "damaged_samples"):
        assert summary["counters"][fault] == 0, summary
    skip_if_held_up(summary)
    command = [*common, "--input", source, "--output", sounds["file"], "--record", takes["file"]]
    assert cli.main(["live", *map(str, command)]) == 0
    stream = read_stream(takes["jack"])
    assert sum(isinstance(item, Event) for item in stream) >= len(MELODY)
    assert any(isinstance(item, Amendment) for item in stream)
    same_streams(stream, read_stream(takes["file"]))
    for name in ("jack", "file"):
        offline = tmp_path / f"{name}-offline.wav"
        assert (
            cli.main(["render", str(takes[name]), str(offline), "--rate", str(rate), "--bits", "float"]) == 0
        )
        rendered, _ = soundfile.read(offline, dtype="float32")
        played, _ = soundfile.read(sounds[name], dtype="float32", always_2d=True)
        assert np.abs(played).max() < 0.9  # the limiter sleeps
        assert np.abs(played).max() > 0.01
        count = min(len(rendered), len(played) - rate // 10)  # what JACK's driver plays fades out at the end
        assert count > 2 * rate
        for channel in played.T:
            assert np.abs(channel[:count] - rendered[:count]).max() <= STEP + ROUNDING


# ---- latency, to the sample ----------------------------------------------------------------------------


@pytest.mark.parametrize("block", [32, 64, 480, 2048])
@pytest.mark.parametrize("profile", ["live", "tight", "instant"])
def test_file_driver_is_as_late_as_the_ledger_says(profile, block, tmp_path, weights, capsys):
    rate = 48_000
    source, take, sound = tmp_path / "in.wav", tmp_path / "t.mcap", tmp_path / "o.wav"
    write_pluck_file(source, rate, [(0.5123, 330.0)], 1.5)
    command = ["--profile", profile, "--block", block, "--exact", "--input", source, "--output", sound]
    assert cli.main(["live", "--json", *map(str, [*command, "--record", take])]) == 0
    summary = json.loads(capsys.readouterr().out)
    latency = summary["latency"]["engine_seconds"]
    assert latency * rate == pytest.approx(round(latency * rate), abs=1e-6)
    late = round(latency * rate)
    # what the encoder hears in the same input, and when
    follower, resampler = Follower(weights, PROFILES[profile]), StreamingResampler(rate)
    samples, _ = soundfile.read(source, dtype="float32")
    heard = follower.process(resampler.process(samples))
    heard = in_stream_order(heard + follower.process(resampler.flush()) + follower.flush())
    stream = in_stream_order(read_stream(take))
    assert [type(item) for item in stream] == [type(item) for item in heard]
    assert {Event, Amendment, End} == {type(item) for item in heard}
    onsets = [round(item_seconds(item) * rate) for item in stream]
    assert [onset - round(item_seconds(h) * rate) for onset, h in zip(onsets, heard, strict=True)] == [
        late
    ] * len(onsets)
    # From sound to sound: what is played is what was heard, that much later. The first sample that sounds
    # says it exactly; noise differs from time to time, so that of the rest only envelopes can be compared.
    played, _ = soundfile.read(sound, dtype="float32")
    direct = render_samples(weights, heard, rate)
    assert np.flatnonzero(played)[0] - np.flatnonzero(direct)[0] == late
    assert abs(find_lag(envelope(played), envelope(direct)) - late) < rate // 200
    # and what came in is heard again that much later, as well as an encoder can tell
    assert abs(find_lag(envelope(played), envelope(samples)) - late) < 0.025 * rate


# ---- OSC -----------------------------------------------------------------------------------------------


@pytest.mark.jack
def test_oscsend_controls_the_host(tmp_path, weights):
    need("jackd", "oscsend")
    port, rate = free_port(), 48_000
    take = tmp_path / "osc.mcap"
    hum = (0.2 * np.sin(2.0 * np.pi * 500.0 * np.arange(60 * rate) / rate)).astype(np.float32)
    with jack_server(rate, 512) as server, jack_probe(server, 60.0) as probe:
        arguments = ["--input", f"jack:{probe.name}", "--output", "jack:system", "--record", take]
        arguments += ["--osc-listen", f"127.0.0.1:{port}"]
        with LiveHost(server, *arguments) as host, udp_client() as peer:
            server.connect(f"{host.client}:out_1", probe.tape[0])

            def send(*message):
                subprocess.run(["oscsend", "127.0.0.1", str(port), *message], check=True, timeout=60)

            def ask(packet, answer):
                """Send, and all messages that come until one at an address that begins with ``answer``."""
                peer.sendto(packet, ("127.0.0.1", port))
                found = {}
                while True:
                    for timed in split_packet(peer.recv(65_536)):
                        address, values = read_message(timed.message)
                        found[address] = values
                    if any(address.startswith(answer) for address in found):
                        return found

            def stats():
                return {
                    name.rpartition("/")[2]: values[0] for name, values in collect_stats(peer, port).items()
                }

            assert ask(b"/struck/ping\0\0\0\0,\0\0\0", "/struck/pong") == {"/struck/pong": []}
            send("/struck/ping")
            send("/struck/control/events_db", "f", "-60")
            # the direct sound
            probe.play(hum)
            time.sleep(0.5)
            wait_until(lambda: np.abs(probe.recorded()[-rate // 10 :, 0]).max() < 0.002)
            send("/struck/control/dry_db", "f", "0")
            wait_until(lambda: np.abs(probe.recorded()[-rate // 10 :, 0]).max() > 0.19)
            send("/struck/control/dry_db", "f", "-60")
            probe.play(np.zeros(1, np.float32))
            send("/struck/control/events_db", "f", "0")
            send("/struck/panic")
            wait_until(lambda: stats().get("panics") == 1)
            # an event from another struck: quantised, as all that is played without --exact
            event = restore_events(quantize_events([make_event(3, 0.0)]))[0]
            packet = write_event(7, event, read_descriptors(weights, event), IMMEDIATELY)
            peer.sendto(packet, ("127.0.0.1", port))
            wait_until(lambda: stats().get("events_osc") == 1)
            counts = stats()
            time.sleep(0.5)
            summary = host.stop()
    assert counts.get("osc_rejected", 0) == 0
    assert counts["osc_accepted"] >= 8
    assert summary["counters"]["events_osc"] == 1
    played = [
        e for e in read_take(take) if e.gain_db == event.gain_db and np.array_equal(e.vector, event.vector)
    ]
    assert len(played) == 1
    assert len(list(TakeReader(take).osc())) == 6  # what only asks is not part of a performance


@contextmanager
def udp_client():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.settimeout(30.0)
        yield peer


def collect_stats(peer, port):
    """One answer to ``/struck/stats``: what came until nothing more does."""
    peer.sendto(b"/struck/stats\0\0\0,\0\0\0", ("127.0.0.1", port))
    found = {}
    peer.settimeout(0.3)
    try:
        while True:
            for timed in split_packet(peer.recv(65_536)):
                address, values = read_message(timed.message)
                found[address] = values
    except TimeoutError:
        return found
    finally:
        peer.settimeout(30.0)


@pytest.mark.jack
def test_pure_data_hears_the_rig(tmp_path):
    need("jackd", "pd")
    port, own = free_port(), free_port()
    rate = 48_000
    command = ["pd", "-nogui", "-nosound", "-nomidi", "-stderr", "-noprefs", "-send", f"struck-port {own}"]
    command += ["-send", f"struck-server 127.0.0.1 {port}", CLIENTS / "struck-receive.pd"]
    take = tmp_path / "pd.mcap"
    with jack_server(rate, 512) as server, jack_probe(server, 40.0) as probe:
        arguments = ["--input", f"jack:{probe.name}", "--output", "jack:system", "--record", take]
        with (
            LiveHost(server, *arguments, "--osc-listen", f"127.0.0.1:{port}") as host,
            program(command) as pd,
        ):

            def printed():
                return [line.split(":", 1)[1].split() for line in list(pd.lines) if "struck-event:" in line]

            for _ in range(20):
                probe.play(plucks(rate, [(0.0, 220.0), (0.3, 330.0)], 0.8))
                time.sleep(1.2)
                if len(printed()) >= 2:
                    break
            assert len(printed()) >= 2, pd.lines
            host.stop()
    events = {f"{event.gain_db:.2f}" for event in read_take(take)}
    for words in printed()[:2]:
        assert f"{float(words[1]):.2f}" in events
        assert float(words[2]) > 20.0  # Hz
        assert words[7] in (DRY, *ROOM_NAMES)
