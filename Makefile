# Every target sets up what it needs on a machine that has some Python 3 (see tools/setup).
# CASE: an experiment file, or TWIN: an embedded one (twin-1, twin-2); DATA: the data root its paths refer to; WORKERS:
# processes of the tests; ISA: the instruction set that the tests are held to, SSE4_2, AVX2 or AVX512 (XLA and the linear
# algebra of NumPy and SciPy).
.DEFAULT_GOAL := help
.PHONY: help setup demo test lint format validate lock
SHELL := /bin/bash
CASE ?=
TWIN ?=
DATA ?=
WORKERS ?= auto
ISA ?=
# Without compiled modules every command would start a second later.
unexport PYTHONDONTWRITEBYTECODE
# The published cases of the dynamical core and of the engines on toy models; the studies with real data have their own options.
CASES := inertia_gravity_wave density_current mountain_waves rest_over_bell rising_bubble moist_bubble balanced_flow \
  tracer_advection rim_wave supercell lorenz96 quasi_geostrophic
KERNEL_SSE4_2 := Nehalem
KERNEL_AVX2 := Haswell
KERNEL_AVX512 := SkylakeX
HELD := $(if $(ISA),$(if $(KERNEL_$(ISA)),,$(error ISA=$(ISA) is none of SSE4_2, AVX2, AVX512))XLA_FLAGS=--xla_cpu_max_isa=$(ISA) OPENBLAS_CORETYPE=$(KERNEL_$(ISA)))
PYTEST := $(HELD) .venv/bin/python -m pytest

help: ## what can be made
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' Makefile | while IFS='|' read -r name text; do printf '%-16s %s\n' "$$name" "$$text"; done

setup: ## the environment .venv, with everything pinned
	@tools/setup

demo: setup ## the twin experiment, TWIN=twin-2, or CASE=cases/....toml DATA=folder
	.venv/bin/kaiseki demo $(if $(CASE),--case "$(CASE)") $(if $(TWIN),--twin "$(TWIN)") $(if $(DATA),--data "$(DATA)")

test: setup ## all tests but the slow ones
	$(PYTEST) -q -n $(WORKERS)

lint: setup ## style, types, layers of packages
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

format: setup ## lay the code out
	.venv/bin/ruff check --fix-only --quiet .
	.venv/bin/ruff format .

validate: setup ## the slow tests and the published cases
	$(PYTEST) -q -m slow tests
	for case in $(CASES); do .venv/bin/python -m validation.$$case || exit 1; done
	XLA_FLAGS=--xla_backend_optimization_level=0 .venv/bin/python -m validation.derivatives

lock: setup ## requirements.lock anew from pyproject.toml
	UV_SYSTEM_CERTS=1 .tools/uv/bin/uv pip compile pyproject.toml --extra run --extra fetch --group dev --universal --python-version 3.12 --generate-hashes --no-header --quiet -o requirements.lock
