# Two commands do everything on a machine with Python 3.11 and make:
#   make demo    own virtual environment, install, compare all strategies on hour-long stories
#   make test    own virtual environment, install all that the tests need, full suite
PYTHON ?= python3
# The CPU build is enough. Set TORCH to another requirement to test with another one.
TORCH ?= torch==2.13.0
PIP = -m pip install --quiet --disable-pip-version-check

.PHONY: demo test test-slow lint clean

demo: .venv/demo/.installed
	.venv/demo/bin/videoatlas demo --out runs/demo

test: .venv/test/.installed
	.venv/test/bin/python -m pytest -n auto --dist worksteal

test-slow: .venv/test/.installed
	.venv/test/bin/python -m pytest -n auto --dist worksteal -m slow

lint: .venv/test/.installed
	.venv/test/bin/ruff check .
	.venv/test/bin/ruff format --check .

.venv/demo/.installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv/demo
	.venv/demo/bin/python $(PIP) --editable ".[report]"
	touch $@

.venv/test/.installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv/test
	.venv/test/bin/python $(PIP) "$(TORCH)"
	.venv/test/bin/python $(PIP) --editable ".[test]"
	touch $@

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
