# Each target makes the virtual environment that it needs. PYTHON chooses the interpreter.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP_FLAGS := -q --disable-pip-version-check -c constraints.txt
NEEDS := pyproject.toml setup.py constraints.txt
CORE := .venv-core-$(notdir $(PYTHON))
DEMO := runs/demo

.PHONY: demo test test-slow test-core check bench clean

demo: $(VENV)/.ready
	rm -rf $(DEMO)
	$(BIN)/murk rollout world=generated policy=[closed_book,naive,react,careful] episodes=30 out=$(DEMO)
	$(BIN)/murk replay $(DEMO)

test: $(VENV)/.ready
	$(BIN)/pytest -m "not slow" -n 2

test-slow: $(VENV)/.all
	$(BIN)/pytest -m slow

test-core: $(CORE)/.ready
	$(CORE)/bin/pytest -m "not slow" -n 2 tests/envs

check: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -p murk.envs -p murk.rewards -p murk.rollout
	$(BIN)/mypy tests

bench: .venv-bench/.ready .venv-openenv/.ready
	for file in search_quality search_speed open_speed build_speed env_speed world_scale fault_speed fault_shortcut reward_speed judge_agreement rollout_speed decode_speed; do .venv-bench/bin/python tests/benchmarks/$$file.py || exit 1; done

clean:
	rm -rf .venv .venv-* runs build dist *.egg-info

$(VENV)/.ready: $(NEEDS)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install $(PIP_FLAGS) -e ".[build,record,mcp,judge,rollout,tensorboard,dev]"
	touch $@

$(VENV)/.all: $(VENV)/.ready
	$(BIN)/pip install $(PIP_FLAGS) torch==2.13.0
	$(BIN)/pip install $(PIP_FLAGS) -e ".[all,dev]" "transformers[serving]"
	touch $@

$(CORE)/.ready: $(NEEDS)
	$(PYTHON) -m venv $(CORE)
	$(CORE)/bin/pip install $(PIP_FLAGS) -e ".[build,record,mcp,judge,rollout,tensorboard,dev]"
	touch $@

.venv-bench/.ready: $(NEEDS) tests/benchmarks/requirements.txt
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/pip install $(PIP_FLAGS) torch==2.13.0
	.venv-bench/bin/pip install $(PIP_FLAGS) -r tests/benchmarks/requirements.txt -e ".[build,dense,rollout]"
	touch $@

# OpenEnv pins other versions than murk's constraints.
.venv-openenv/.ready: $(NEEDS) tests/benchmarks/requirements-openenv.txt
	$(PYTHON) -m venv .venv-openenv
	.venv-openenv/bin/pip install -q --disable-pip-version-check -r tests/benchmarks/requirements-openenv.txt -e .
	touch $@
