"""Values of a patch's transforms as targets of maps."""

from struck.codec.transforms.transform import TransformSettings
from struck.patches.map_patch import MapEntry, MidiSource
from struck.realtime.mapping.mapper import Mapper
from struck.realtime.mapping.targets import Targets

from ..stage.test_stage import Show


def test_values_of_transforms_are_turned_by_maps_and_by_do():
    show = Show()
    show.stage.change_transforms([TransformSettings("delay"), TransformSettings("freeze")])
    targets = Targets(show.stage, {})
    mapper = Mapper(targets, show.lines.append)
    mapper.change(
        [
            MapEntry(MidiSource("cc", 3), "transform/delay/time", low=0.0, high=1.0, takeover="jump"),
            MapEntry(MidiSource("cc", 64), "transform/freeze/hold", takeover="jump"),
            MapEntry(MidiSource("cc", 4), "transform/loop/on"),
        ]
    )
    assert show.lines == [
        "map of cc 3: transform/delay/time goes from 0.01 to 60, not to 0",
        "map of cc 4: no transform is called loop; there are: delay, freeze",
    ]
    mapper.receive(bytes([0xB0, 64, 127]))
    assert show.stage.transform("freeze").values["hold"] is True
    targets.do("transform/delay/time", 2.0)
    assert show.stage.transform("delay").values["time"] == 2.0
    assert targets.find("transform/delay/original").get() == 1.0
