"""The process that runs plug-ins: ``python -m struck.realtime.inserts.runner.server``.

It reads a job and requests from standard input and answers on what was standard output; what plug-ins print
goes where standard error goes. A plug-in may do to this process whatever it likes: the host only ever looks
at the shared memory.
"""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from typing import IO, Any, Final

import numpy as np

from ....codec.events.errors import StruckError
from ....patches.insert_patch import PLACES, InsertPatch
from ...devices.scheduling import schedule
from ...engine.rings import READ, WRITE
from ...engine.shared_memory import (
    BEGIN,
    CURRENT,
    DAMAGED_BLOCKS,
    DONE,
    FROM,
    HOST_WAITS,
    PROCESS_WAITS,
    RING_FRAMES,
    SKIPPED_FRAMES,
    WRITTEN,
    WRITTEN_AT,
    RackMemory,
    map_memory,
)
from ...engine.waking import PacedWaiter, Waiter, publish
from ..plugins.group import NO_VOICES, PluginGroup
from ..plugins.plugin import Plugin
from ..rack.wire import DAMAGED, FAILED, READY, STATE, TOLD, RackJob, to_line
from .chain import Chain
from .insert import Insert
from .lines import LineReader
from .parent import end_with_parent
from .requests import Requests

#: Opens the plug-in of an insert at a rate, for so many channels and frames a block.
Open = Callable[[InsertPatch, int, int, int], Plugin]

#: While nothing comes to be played, requests are looked at so often.
_IDLE_SECONDS: Final = 0.02
#: One that is further behind goes on with what has just come.
_FURTHEST_BEHIND: Final = RING_FRAMES // 2
#: Blocks of silence that warm everything up before the first that counts.
_WARM_UP_BLOCKS: Final = 16


def main(open_plugin: Open | None = None) -> None:
    """Serve the parent until it goes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to understand
    end_with_parent(signal.SIGKILL)
    # What plug-ins print must not stand between messages.
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    if open_plugin is None:
        from ..hosts.open_plugin import open_plugin as open_any

        open_plugin = open_any
    lines = LineReader(0)
    first = lines.read(wait=True)
    if first is None:
        return
    with suppress(BrokenPipeError):  # the parent has gone
        RackServer(RackJob.from_dict(first), lines, out, open_plugin).run()


class RackServer:
    """Runs the inserts of one rack.

    Args:
        job: what they are.
        lines: requests.
        out: takes the messages.
        open_plugin: makes plug-ins.
    """

    def __init__(self, job: RackJob, lines: LineReader, out: IO[bytes], open_plugin: Open) -> None:
        self._job, self._lines, self._out, self._open = job, lines, out, open_plugin
        self._memory: RackMemory = map_memory(job.memory)
        self._indices = self._memory.indices
        self._indices[CURRENT] = 0
        # what was sent to one that died is told again
        self._memory.commands.index[READ] = self._memory.commands.index[WRITE]
        self._inserts: list[Insert] = []
        for number in range(len(job.inserts)):
            self._inserts.append(self._make_insert(number))
        self._chains = [
            Chain(self._indices, [self._inserts[n] for n, i in enumerate(job.inserts) if i.place == place])
            for place in PLACES
        ]
        self._lanes = [
            lane for lane, place in enumerate(PLACES) if any(i.place == place for i in job.inserts)
        ]
        self._requests = Requests(self._memory.commands, self._indices, self._inserts)
        self._waiter = Waiter(self._indices, WRITTEN, PROCESS_WAITS)
        if job.callback_seconds > 0.0:
            self._waiter = PacedWaiter(
                self._indices, WRITTEN, PROCESS_WAITS, WRITTEN_AT, job.callback_seconds
            )
        self._begun = 0
        self._next = 0
        self._damaged_told = [(0, 0)] * len(self._inserts)

    def run(self) -> None:
        """Serve until the requests end."""
        self._warm_up()
        schedule(self._job.realtime_priority)
        self._send(
            kind=READY,
            latencies=[chain.latency_samples for chain in self._chains],
            insert_latencies=[insert.latency_samples for insert in self._inserts],
            open=[insert.plugin is not None for insert in self._inserts],
            parameters=[self._describe(insert) for insert in self._inserts],
            takes_notes=[i.plugin is not None and i.plugin.info.takes_notes for i in self._inserts],
        )
        gc.collect()
        gc.freeze()
        gc.disable()  # a block makes no circles, and the collector would come in the middle of one
        block = self._job.block_frames
        while not self._lines.ended:
            self._read_requests()
            self._requests.read()  # what comes while nothing is played must not fill the ring
            written = self._waiter.wait(self._next + block - 1, _IDLE_SECONDS)
            self._follow_begin(written)
            while written >= self._next + block:
                if written - self._next > _FURTHEST_BEHIND:
                    self._skip_to(written // block * block - block)
                self._process_block()

    # -- putting together

    def _make_insert(self, number: int) -> Insert:
        job = self._job
        patch = job.inserts[number]
        channels = job.channels[PLACES.index(patch.place)]

        def open_again() -> Plugin:
            plugin = self._open_voices(patch, channels)
            silence = np.zeros((channels, job.block_frames), np.float32)
            for _ in range(_WARM_UP_BLOCKS):  # some tell their latency only after they have run
                plugin.process(silence, np.empty_like(silence))
            return plugin

        plugin = None
        if number not in job.skipped:
            self._indices[CURRENT] = number + 1
            try:
                plugin = open_again()
            except StruckError as error:
                self._send(kind=FAILED, insert=number, line=str(error))
            except (Exception, SystemExit) as error:  # a plug-in's own Python code may raise anything
                self._send(kind=FAILED, insert=number, line=f"{type(error).__name__}: {error}")
            self._indices[CURRENT] = 0
        stated = job.latencies[number] if job.latencies else 0
        before = [i for i, p in zip(self._inserts, job.inserts, strict=False) if p.place == patch.place]
        return Insert(
            number,
            patch,
            plugin,
            open_again,
            channels,
            job.block_frames,
            job.rate,
            stated if plugin is None else plugin.latency_samples,
            sum(insert.latency_samples for insert in before),
        )

    def _open_voices(self, patch: InsertPatch, channels: int) -> Plugin:
        def open_one() -> Plugin:
            return self._open(patch, self._job.rate, channels, self._job.block_frames)

        if not patch.voices:
            return open_one()
        group = PluginGroup(open_one, patch.voices)
        if not group.info.takes_notes:
            group.close()
            raise StruckError(NO_VOICES)
        return group

    def _describe(self, insert: Insert) -> list[dict[str, Any]]:
        """A plug-in's parameters and their values now."""
        plugin = insert.plugin
        if plugin is None:
            return []
        return [
            asdict(parameter) | {"value": plugin.get(number)}
            for number, parameter in enumerate(plugin.parameters)
        ]

    def _warm_up(self) -> None:
        """Run everything once that runs later, so that nothing is loaded while music plays."""
        self._requests.carry_out(0, 0)
        for lane in self._lanes:
            self._chains[lane].process(
                np.zeros((self._job.channels[lane], self._job.block_frames), np.float32)
            )
        self._memory.wet[:] = 0.0
        self._waiter.wait(-1, 0.0)
        self._read_requests()

    # -- playing

    def _follow_begin(self, written: int) -> None:
        """Where the rack has come in anew: begin with the block in which that was."""
        begin = int(self._indices[BEGIN])
        if begin == self._begun:
            return
        self._begun = begin
        block = self._job.block_frames
        first = begin - 1
        start = first // block * block
        for place in range(start, first):
            self._memory.dry[:, :, place % RING_FRAMES] = 0.0
        # one that was started again goes on with what has just come
        self._skip_to(max(start, written // block * block if written - start > _FURTHEST_BEHIND else start))
        self._indices[SKIPPED_FRAMES] = 0

    def _skip_to(self, start: int) -> None:
        self._indices[SKIPPED_FRAMES] += start - self._next
        self._next = start
        publish(self._indices, FROM, start, HOST_WAITS)
        publish(self._indices, DONE, start, HOST_WAITS)

    def _process_block(self) -> None:
        block = self._job.block_frames
        self._requests.carry_out(self._next, block)
        for lane in self._lanes:
            self._process_lane(lane, self._next)
        self._next += block
        publish(self._indices, DONE, self._next, HOST_WAITS)
        self._tell_damage()

    def _process_lane(self, lane: int, start: int) -> None:
        place = start % RING_FRAMES
        end = place + self._job.block_frames
        channels = self._job.channels[lane]
        dry = self._memory.dry[lane, :channels, place:end]
        try:
            sound = self._chains[lane].process(dry)
        except (Exception, SystemExit) as error:  # a plug-in's own Python code may raise anything
            insert = self._inserts[int(self._indices[CURRENT]) - 1]
            insert.plugin = None
            line = f"{type(error).__name__}: {error}"
            self._send(kind=FAILED, insert=insert.number, line=line)
            self._indices[CURRENT] = 0
            sound = self._chains[lane].process(dry)
        self._memory.wet[lane, :channels, place:end] = sound

    def _tell_damage(self) -> None:
        for number, insert in enumerate(self._inserts):
            if insert.damaged_blocks == self._damaged_told[number][0]:
                continue
            self._indices[DAMAGED_BLOCKS] = sum(i.damaged_blocks for i in self._inserts)
            if insert.renewals != self._damaged_told[number][1] or self._damaged_told[number][0] == 0:
                self._send(kind=DAMAGED, insert=number, renewals=insert.renewals)
            self._damaged_told[number] = (insert.damaged_blocks, insert.renewals)

    # -- messages

    def _read_requests(self) -> None:
        while (request := self._lines.read(wait=False)) is not None:
            if "save" in request:
                self._save(request["save"])
            elif "realtime" in request:
                schedule(request["realtime"])

    def _save(self, number: int) -> None:
        plugin = self._inserts[number].plugin
        try:
            state = "" if plugin is None else plugin.save_state()
            self._send(kind=STATE, insert=number, state=state)
        except StruckError as error:
            self._send(kind=TOLD, insert=number, line=str(error))
            self._send(kind=STATE, insert=number, state="")

    def _send(self, **values: Any) -> None:
        self._out.write(to_line(values))
        self._out.flush()


if __name__ == "__main__":
    main()
