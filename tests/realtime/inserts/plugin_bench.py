"""What tests do with a plug-in of any host."""

import numpy as np

from struck.patches.insert_patch import InsertPatch
from struck.realtime.inserts.hosts.open_plugin import open_plugin

RATE, BLOCK = 48_000, 64


def open_named(host, name="", channels=2, **options):
    return open_plugin(InsertPatch("master", host, name, **options), RATE, channels, BLOCK)


def run(plugin, sound, notes=()):
    """``sound [C, N]`` through a plug-in, block by block; ``notes`` are (sample, message)."""
    out = np.zeros_like(sound)
    for start in range(0, sound.shape[1], BLOCK):
        for at, message in notes:
            if start <= at < start + BLOCK:
                plugin.note(at - start, message)
        piece = np.zeros((len(sound), BLOCK), np.float32)
        plugin.process(np.ascontiguousarray(sound[:, start : start + BLOCK]), piece)
        out[:, start : start + BLOCK] = piece
    return out


def noise(blocks=100, channels=2, seed=1):
    generator = np.random.default_rng(seed)
    return generator.uniform(-0.4, 0.4, (channels, blocks * BLOCK)).astype(np.float32)


def measured_latency(plugin, channels=2):
    """Where an impulse comes out most, after the samples in which plug-ins fade in."""
    sound = np.zeros((channels, 200 * BLOCK), np.float32)
    sound[:, 100 * BLOCK] = 0.9
    out = np.abs(run(plugin, sound)[0, 99 * BLOCK :])
    return int(out.argmax()) - BLOCK


def vary(plugin, seed=1):
    """Set all parameters to something within their ranges."""
    generator = np.random.default_rng(seed)
    for number, parameter in enumerate(plugin.parameters):
        value = generator.uniform(parameter.low, parameter.high)
        whole = parameter.scale in ("integer", "toggle")
        plugin.set(number, float(round(value)) if whole else float(np.float32(value)))
