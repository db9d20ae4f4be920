# make demo: voice and animate the demo script.   make test: every check and test.   make check: the quick ones.
PYTHON ?= python3
BIN := .venv/bin
export RAY_USAGE_STATS_ENABLED := 0

.PHONY: demo test check schemas clean

.venv/installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "unitaf needs Python 3.11 or newer; set PYTHON=..."; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[test]'
	@touch $@

# The server of the tests' own. Its Python backend knows numpy 1 only; all else it takes from .venv.
.venv-triton/installed: | .venv/installed
	$(PYTHON) -m venv .venv-triton
	.venv-triton/bin/pip install --quiet --disable-pip-version-check 'numpy<2' 'pyarrow<22'
	.venv-triton/bin/pip install --quiet --disable-pip-version-check --no-deps nvidia-pytriton==0.7.0
	path='import sysconfig; print(sysconfig.get_path("purelib"))'; \
	echo "import site; site.addsitedir('$$($(BIN)/python -c "$$path")')" \
		> "$$(.venv-triton/bin/python -c "$$path")/unitaf.pth"
	@touch $@

demo: .venv/installed
	@$(BIN)/unitaf generate ray_jobs/scripts/demo.csv demo
	@echo; echo "Look at one take:"
	@echo "  $(BIN)/unitaf show demo tide_270_okafor --audio take.wav --plot take.png"
	@echo "  $(BIN)/unitaf export demo delivery --format wav,livelink,json"

check: .venv/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

test: check .venv-triton/installed
	$(BIN)/pytest -n 2 --dist loadfile --hypothesis-profile=ci

schemas: .venv/installed
	$(BIN)/python -m unitaf.pipelines.schemas schemas

clean:
	rm -rf .venv .venv-triton demo
