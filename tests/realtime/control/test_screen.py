"""The screen in a browser: what is played is seen, what is moved is heard, and two pages agree."""

import json
import re
import shutil
import time

import numpy as np
import pytest

from struck.codec.transforms.transform import TransformSettings
from struck.realtime.engine.parameters import PARAMETER
from struck.realtime.osc.address_book import insert_leaf

from ...codec.playing.decoder_events import event
from .control_host import ControlHost

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")

DESK = {"viewport": {"width": 1_280, "height": 800}}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
#: Much longer than anything takes that works.
WAIT_MS = 30_000


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def host():
    with ControlHost() as host:
        host.play_on()
        yield host


@pytest.fixture
def open_page(browser, host):
    """Opens pages that must not say anything to their console."""
    contexts, words = [], []

    def open_(path="", **options):
        context = browser.new_context(**(options or DESK))
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(WAIT_MS)
        page.on("console", lambda message: message.type == "error" and words.append(message.text))
        page.on("pageerror", lambda error: words.append(str(error)))
        page.on("request", lambda request: check(request.url))
        page.goto(f"http://127.0.0.1:{host.port}/{path}")
        page.wait_for_selector('body[data-state="connected"]')
        return page

    def check(url):
        if not url.split("://")[1].startswith(f"127.0.0.1:{host.port}"):
            words.append(f"a request elsewhere: {url}")

    yield open_
    for context in contexts:
        context.close()
    assert words == []


def wait_until(true, seconds=WAIT_MS / 1e3):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def slider(page, name):
    return page.get_by_role("slider", name=name, exact=True)


def test_a_slider_that_is_moved_is_heard_and_shown_on_the_other_page(host, open_page):
    one, other = open_page(), open_page(**PHONE)
    host.stage.play(event(0.0, -12.0, pitch=60.0, hold=6.0, attack=0.01, decay=20.0), "midi")
    wait_until(lambda: np.abs(host.last).max() > 1e-3)
    slider(one, "output").focus()
    one.keyboard.press("Home")
    wait_until(lambda: host.stage.controls()["output_db"] == PARAMETER["output_db"].low)
    wait_until(lambda: not host.last.any())
    sync_api.expect(slider(other, "output")).to_have_attribute("aria-valuetext", "-60.0 dB", timeout=WAIT_MS)
    slider(other, "output").fill("400")
    wait_until(lambda: host.stage.controls()["output_db"] == PARAMETER["output_db"].high)
    sync_api.expect(slider(one, "output")).to_have_attribute("aria-valuetext", "12.0 dB", timeout=WAIT_MS)


def test_a_change_from_elsewhere_is_shown(host, open_page):
    page = open_page()
    host.stage.set_control("transpose", -7.0)
    sync_api.expect(slider(page, "transpose")).to_have_attribute("aria-valuetext", "-7.0 semitones")
    host.stage.load_patch("bells")
    sync_api.expect(page.get_by_role("combobox", name="Patch", exact=True)).to_have_value("bells")


def test_a_factor_moves_in_equal_ratios(host, open_page):
    page = open_page()
    slider(page, "decay").fill("200")
    wait_until(lambda: host.stage.controls()["decay"] == pytest.approx(1.0, rel=1e-3))
    slider(page, "decay").fill("300")
    wait_until(lambda: host.stage.controls()["decay"] == pytest.approx(10.0**0.5, rel=1e-3))


@pytest.mark.parametrize("options", [DESK, PHONE], ids=["desk", "phone"])
def test_patches_panic_and_pads_work_by_a_tap(host, open_page, options):
    page = open_page(**options)
    tap = "tap" if "has_touch" in options else "click"

    def press(name):
        getattr(page.get_by_role("button", name=name, exact=True), tap)()

    press("Next patch")
    wait_until(lambda: host.stage.patch() == "pad")
    sync_api.expect(page.get_by_role("combobox", name="Patch", exact=True)).to_have_value("pad")
    press("Previous patch")
    wait_until(lambda: host.stage.patch() == "default")
    press("C4")
    wait_until(lambda: host.phrases == [(60, 100, "")])
    press("C4")
    wait_until(lambda: host.phrases[1:] == [(60, 0, "")])
    press("Panic")
    wait_until(lambda: host.stage.counts().get("panics") == 1)


def test_learning_works_by_touch(host, open_page):
    page = open_page(**PHONE)
    page.get_by_role("button", name="Learn MIDI").tap()
    page.get_by_role("button", name="learn decay", exact=True).tap()
    sync_api.expect(page.get_by_role("button", name="move a controller")).to_be_visible()
    for value in (0, 30, 64):
        host.mapper.receive(bytes((0xB0, 21, value)))
    sync_api.expect(page.get_by_role("button", name="unlearn", exact=False)).to_be_visible()
    # It stays at it, and what was learned works: one end, the other, and the page shows it.
    for value in (0, 64, 127):
        host.mapper.receive(bytes((0xB0, 21, value)))
    wait_until(lambda: host.stage.controls()["decay"] == pytest.approx(10.0))
    sync_api.expect(slider(page, "decay")).to_have_attribute("aria-valuetext", "10.00")
    page.get_by_role("button", name="unlearn", exact=False).tap()
    sync_api.expect(page.get_by_role("button", name="learn decay", exact=True)).to_be_visible()
    host.mapper.receive(bytes((0xB0, 21, 10)))
    assert host.stage.controls()["decay"] == pytest.approx(10.0)


def test_all_of_it_is_reached_by_the_keyboard(host, open_page):
    page = open_page()
    reached = set()
    for _ in range(80):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.textContent"))
    assert reached >= {"panic", "previous", "patches", "next", "octave", "velocity", "lines", "C4", "B4"}
    assert reached >= {f"slider-/struck/control/{name}" for name in PARAMETER}


#: Waits for the first picture with the colour of MIDI's events left of the line that is now, and says when.
SEE = """() => new Promise((resolve) => {
  const roll = document.getElementById("roll");
  const look = () => {
    const x = Math.floor(roll.width * 0.88);
    const { data } = roll.getContext("2d").getImageData(x - 12, 0, 10, roll.height);
    for (let at = 0; at < data.length; at += 4) {
      if (data[at] > 240 && Math.abs(data[at + 1] - 198) < 12 && data[at + 2] < 120) {
        resolve(Date.now() / 1000);
        return;
      }
    }
    requestAnimationFrame(look);
  };
  look();
})"""


@pytest.mark.wall_clock
def test_an_event_is_seen_within_a_tenth_of_a_second_of_being_heard(host, open_page):
    page = open_page()
    time.sleep(1.0)
    late_seconds = []
    for number in range(5):
        page.evaluate(f"window.seen = null; ({SEE})().then((at) => (window.seen = at)); null")
        at_seconds = host.position_seconds + 0.25
        host.stage.play(event(at_seconds, -6.0, pitch=36.0 + 12 * number, decay=0.2, hold=0.05), "midi")
        wait_until(lambda at_seconds=at_seconds: host.position_seconds >= at_seconds, 10.0)
        heard = time.time()
        page.wait_for_function("() => window.seen !== null")
        late_seconds.append(page.evaluate("window.seen") - heard)
        host.stage.panic()
        time.sleep(1.0)  # it has left the columns that are looked at
    assert np.median(late_seconds) < 0.1, late_seconds


def test_a_lost_connection_is_told_and_comes_back_with_what_holds_then(host, open_page, browser):
    page = open_page()
    host.drop_clients()
    page.wait_for_selector('body[data-state="lost"]')
    host.stage.set_control("decay", 2.0)
    page.wait_for_selector('body[data-state="connected"]')
    sync_api.expect(slider(page, "decay")).to_have_attribute("aria-valuetext", "2.00")
    sync_api.expect(page.get_by_role("button", name="Panic", exact=True)).to_be_enabled()


def test_inserts_that_come_with_a_patch_get_their_sliders(host, open_page):
    page = open_page()
    assert page.get_by_role("slider", name="wet", exact=True).count() == 0
    host.book.add_source(lambda: [insert_leaf("plate", "wet", 0.0, 1.0, "", lambda: 0.5)])
    sync_api.expect(slider(page, "wet")).to_have_attribute("aria-valuetext", "0.50", timeout=WAIT_MS)


def test_without_the_token_a_page_only_shows(browser):
    with ControlHost(is_own=False) as host:
        host.play_on()
        context = browser.new_context(**DESK)
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{host.port}/")
        page.wait_for_selector('body[data-state="connected"]', timeout=WAIT_MS)
        assert page.get_by_role("button", name="Panic", exact=True).is_disabled()
        assert "View only" in page.locator("#notice").inner_text()
        page.goto(f"http://127.0.0.1:{host.port}/screen/#token={host.token}")
        page.wait_for_selector('body[data-state="connected"]', timeout=WAIT_MS)
        sync_api.expect(page.get_by_role("button", name="Panic", exact=True)).to_be_enabled(timeout=WAIT_MS)
        assert "token" not in page.url
        context.close()


@pytest.mark.parametrize("options", [DESK, PHONE], ids=["desk", "phone"])
def test_axe_finds_nothing(host, open_page, options):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
    page = open_page(**options)
    host.stage.tell("a line for the log")
    host.stage.count("control_refused")
    host.stage.play(event(0.0, -12.0, pitch=60.0), "osc")
    page.wait_for_selector("#lines li")
    page.wait_for_selector("#counters li")
    results = axe.Axe().run(page)
    assert results.violations_count == 0, results.generate_report()


def test_nothing_is_wider_than_a_phone_and_all_is_thumb_sized(host, open_page):
    page = open_page(**PHONE)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    small = page.evaluate(
        """[...document.querySelectorAll("button, select, input, nav a")]
        .filter((found) => found.offsetParent !== null)
        .map((found) => [found.id || found.textContent, found.getBoundingClientRect()])
        .filter(([, { width, height }]) => width < 44 || height < 44).map(([name]) => name)"""
    )
    assert small == []


def test_a_page_that_is_long_open_keeps_no_more_than_it_shows(host, open_page):
    """Thousands of events and lines, a day's worth of a quiet show, leave nothing behind."""
    page = open_page()
    page.evaluate("window.nodes = document.querySelectorAll('*').length; null")
    for number in range(3_000):
        host.stage.tell(f"line {number}")
        if number % 10 == 0:
            host.stage.play(event(0.0, -12.0, pitch=60.0, decay=0.1, hold=0.01), "midi")
    page.wait_for_function("() => document.querySelectorAll('#lines li').length === 100")
    page.wait_for_function("() => /, 0 in sight/.test(document.getElementById('roll-text').textContent)")
    assert page.evaluate("document.querySelectorAll('*').length - window.nodes") <= 110


def test_the_setlist_goes_on_and_back_and_a_transform_is_turned_and_learned(host, open_page):
    host.stage.change_transforms([TransformSettings("delay")])
    page = open_page(**PHONE)
    setlist = page.get_by_role("group", name="Setlist")
    sync_api.expect(setlist).to_contain_text("Not begun")
    setlist.get_by_role("button", name="Next").tap()
    sync_api.expect(setlist).to_contain_text("Opener: verse")
    setlist.get_by_role("button", name="Previous").tap()
    wait_until(lambda: host.done == ["setlist/next", "setlist/previous"])
    slider(page, "repeats").fill("400")
    wait_until(lambda: host.stage.transform("delay").values["repeats"] == 32.0)
    page.get_by_role("button", name="Learn MIDI").tap()
    page.get_by_role("button", name="learn repeats").tap()
    wait_until(lambda: host.learning.state()["target"] == "transform/delay/repeats")
    for value in (0, 60, 127, 64):
        host.mapper.receive(bytes((0xB0, 21, value)))
    wait_until(lambda: ["transform/delay/repeats", "cc 21"] in host.learning.state()["learned"])


DAY_EVENTS = 200_000


def heap_bytes(page):
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.enable")
    session.send("HeapProfiler.collectGarbage")
    session.send("Performance.enable")
    metrics = session.send("Performance.getMetrics")["metrics"]
    session.detach()
    return next(metric["value"] for metric in metrics if metric["name"] == "JSHeapUsedSize")


@pytest.mark.parametrize("seen", [True, False], ids=["in sight", "out of sight"])
def test_a_page_left_open_for_a_day_does_not_grow(host, browser, seen):
    """Events, log lines and changes of a day, as fast as the page takes them; half of them cost no more."""
    context = browser.new_context(**DESK)
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    if not seen:  # the browser draws no page that is not seen
        page.add_init_script("window.requestAnimationFrame = () => 0")
    sockets = []
    page.route_web_socket(re.compile("/live"), lambda socket: sockets.append(socket))
    page.goto(f"http://127.0.0.1:{host.port}/")
    wait_until(lambda: page.evaluate("document.readyState") == "complete" and sockets)
    status = {**host.status(), "tree": 1}
    status["latency"] = {"total_seconds": 0.25, "output_device_seconds": 0.0}
    sockets[0].send(json.dumps({"hello": {"may_change": True, "rate": 48_000}}))
    page.wait_for_selector('body[data-state="connected"]')

    def live(begin, end, per_frame=500):
        for first in range(begin, end, per_frame):
            at = first * 0.43
            events = [
                {
                    **{"id": first + n, "kind": "heard", "at": at + 0.43 * n, "until": at + 0.43 * n + 1.0},
                    **{"pitch": 60.0, "gain": -20.0, "noise": 0.1, "release": 0.1},
                }
                for n in range(per_frame)
            ]
            frame = {"t": at, "voices": 3, "in": [[-20, -10]], "out": [[-20, -10]], "events": events}
            frame |= {"phrases": [first % 4], "changes": [["/struck/control/decay", 1.0 + first % 3]]}
            sockets[0].send(json.dumps(frame))
            status["log"] = [(first + n, f"line {first + n}") for n in range(20)]
            status["counters"] = {"midi_dropped": first}
            sockets[0].send(json.dumps({"status": status}))
        wait_until(lambda: page.locator("#lines li").first.inner_text() == f"line {end - per_frame + 19}")

    live(0, DAY_EVENTS // 2)
    before = heap_bytes(page)
    live(DAY_EVENTS // 2, DAY_EVENTS)
    grown = heap_bytes(page) - before
    assert page.locator("#lines li").count() == 100
    context.close()
    assert grown < 500_000, grown
