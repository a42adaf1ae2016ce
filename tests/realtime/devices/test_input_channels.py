"""Any of the channels of a JACK client is heard, from one to the next, and again after a change of patch."""

import pytest

from struck.codec.events.errors import StruckError
from struck.patches.source_patch import SourcePatch
from struck.realtime.devices.jack import load_jack
from struck.realtime.devices.jack_stream import JackStream

from ..rig.jack_rig import jack_server
from ..rig.live_host import connections
from .stream_callbacks import Counting


@pytest.mark.jack
def test_any_channel_of_a_client_can_be_heard():
    jack = pytest.importorskip("jack", reason="JACK-Client is not installed (pip install JACK-Client)")
    with jack_server(48_000, 256) as server:
        desk = jack.Client("desk", no_start_server=True)
        for number in range(1, 5):
            desk.outports.register(f"out_{number}")
        desk.set_process_callback(lambda frames: None)  # without one, whoever asks the server waits for 10 s
        desk.activate()
        callback = Counting()
        stream = JackStream(load_jack(), "desk", None, 48_000, 256, 2, 0, callback.pointer, callback.userdata)
        try:
            stream.start()

            def heard():
                found = connections(server)
                ports = [f"{stream.name}:in_{number}" for number in (1, 2)]
                return [found.get(port, []) for port in ports]

            assert heard() == [["desk:out_1"], ["desk:out_2"]]
            stream.choose_input(3)
            assert heard() == [["desk:out_3"], ["desk:out_4"]]
            stream.choose_input(4)
            assert heard() == [["desk:out_4"], []]
            with pytest.raises(StruckError, match="JACK:desk has no port 5"):
                stream.choose_input(5)
            assert heard() == [["desk:out_4"], []]
            stream.choose_input(1)
            assert heard() == [["desk:out_1"], ["desk:out_2"]]
        finally:
            stream.close()
            desk.deactivate()
            desk.close()


def test_a_channel_beyond_those_of_a_sound_card_is_refused():
    with pytest.raises(StruckError, match="channel is 5; the input has 2 channels"):
        SourcePatch(5).weights(2)
