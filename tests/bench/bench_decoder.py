"""Run the decoder's benchmark: ``python tests/bench/bench_decoder.py``."""

from struck.realtime.bench.decoder import run

if __name__ == "__main__":
    run(print)
