# make demo | test: the first run also does all set-up, into .venv.
# INPUT=my.wav   what `make demo` listens to instead of its own performance
# PYTHON=...     the interpreter to set up with (3.11 or newer)

PYTHON ?= $(firstword $(foreach p,python3 python3.13 python3.12 python3.11 python3.14,\
	$(shell $(p) -c 'import sys; print("$(p)" if sys.version_info >= (3, 11) else "")' 2>/dev/null)))
INPUT ?= realtime/demo/performance.flac
BIN := .venv/bin
# What is never imported need not be compiled: Python does that at the first import.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt
PACKAGES := codec models realtime patches
# As in pyproject.toml: the optional dependencies called live.
LIVE := python-rtmidi pyo
# npm waits for minutes where there is no network.
AT_MOST := $(shell command -v timeout >/dev/null && echo timeout 60)
RIG := pedalboard playwright axe-playwright-python python-oscquery LinkPython-extern JACK-Client

.PHONY: demo test setup live check format bench clean

# One thread of the BLAS, as struck itself has: with another number of them sums differ in their last bits.
demo: setup
	@OPENBLAS_NUM_THREADS=1 $(BIN)/python -m struck.realtime.demo "$(INPUT)" demo

# Kernels are compiled first, so that no two processes do. Tests that need the machine to themselves (marked `alone`) come
# last. All one after the other: .venv/bin/python -m pytest -q
test: .venv/mars .venv/dev .venv/rig
	@$(BIN)/python -m struck.realtime.commands.kernels
	$(BIN)/python -m pytest -q -n auto --maxprocesses 4 --dist loadfile -m "not alone"; beside=$$?; \
	$(BIN)/python -m pytest -q -m alone && exit $$beside

setup: .venv/installed

.venv/made:
	@test -n "$(PYTHON)" || { echo "struck needs Python 3.11 or newer" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || .ci/system-packages python3-venv
	@test -x $(BIN)/pip || $(PYTHON) -m venv --clear .venv
	@touch $@

.venv/installed: .venv/made constraints.txt pyproject.toml
	@.ci/system-packages --optional libportaudio2
	@echo "installing struck and what it needs into .venv"
	@$(PIP) --editable .
	@touch $@

# For phrases and training. torch is by far the largest: it comes first and alone, and an interrupted set-up goes on
# after it.
.venv/mars: .venv/made constraints.txt
	@echo "installing torch into .venv (this may take some minutes)"
	@$(PIP) $$(grep '^torch==' constraints.txt)
	@touch $@

.venv/dev: .venv/installed
	@echo "installing what tests and checks need into .venv"
	@$(PIP) --editable '.[dev]'
	@touch $@

# What some tests play with: a sound server, a synthesiser, OSC programs, MIDI ports, plug-ins, a browser for the
# screen, others' clients of OSCQuery. Those tests are skipped where it cannot be had.
.venv/rig: .venv/installed
	@.ci/system-packages --optional jackd2 jack-midi-clock fluidsynth timgm6mb-soundfont liblo-tools puredata-core \
		liblilv-0-0 mda-lv2 zam-plugins dragonfly-reverb-lv2 lsp-plugins-lv2 chromium
	@for p in $(LIVE) $(RIG); do $(PIP) --only-binary $$p $$p 2>/dev/null || \
		echo "going on without $$p, of which there is no wheel for this machine (its tests are skipped)" >&2; done
	@! command -v npm >/dev/null || $(AT_MOST) npm install --silent --no-fund --no-audit --prefix .venv oscquery@1.1.1 || \
		echo "going on without npm's oscquery (its test is skipped)" >&2
	@touch $@

# Phrases, MIDI ports, inserts and a sound server, for the stage; what has no wheel is compiled. What cannot be had keeps
# nothing else away.
live: .venv/mars setup
	@.ci/system-packages --optional jackd2
	@for p in $(LIVE); do $(PIP) $$p || \
		echo "going on without $$p: it has no wheel for this machine and could not be compiled (see above)" >&2; done
	@$(BIN)/python -m struck.realtime.commands.kernels

# mypy follows relative imports only inside a tree that looks like the installed package.
check: .venv/mars .venv/dev
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	@mkdir -p build/typing/struck
	@for p in $(PACKAGES); do ln -sfn ../../../$$p build/typing/struck/$$p; done
	MYPYPATH=build/typing $(BIN)/python -m mypy $(foreach p,$(PACKAGES),-p struck.$(p))
	$(BIN)/python -m pytest -q tests/test_imports.py

format: .venv/dev
	$(BIN)/python -m ruff check --fix --exit-zero --quiet .
	$(BIN)/python -m ruff format --quiet .

bench: .venv/mars setup
	$(BIN)/struck bench decoder
	$(BIN)/struck bench engine
	$(BIN)/struck bench encoder
	$(BIN)/struck bench startup
	$(BIN)/struck bench phrase

clean:
	rm -rf .venv build demo .pytest_cache .ruff_cache .mypy_cache *.egg-info
	find $(PACKAGES) tests -name __pycache__ -prune -exec rm -rf {} +
