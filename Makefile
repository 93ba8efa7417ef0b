# SPDX-License-Identifier: MIT
#
# The commands people type, in front of Meson. `make help` lists them.
# Everything a command needs is installed first (scripts/packages.txt) by those
# that promise to work on a bare machine: demo, test, bench, interop, lint.

BUILD  ?= build
PREFIX ?= /usr/local
SEEDS  ?= 2000
SECONDS ?= 1800
ARGS   ?=

MESON_FLAGS ?= --prefix=$(PREFIX)

.DEFAULT_GOAL := all
.PHONY: all demo test bench soak interop compat manual package lint swarm experiments experiments-quick install uninstall clean help deps

all: $(BUILD)/build.ninja ## build plait, libplait and their tests into build/
	@ninja -C $(BUILD)
	@ln -sf meson-private/plait.pc $(BUILD)/plait.pc

$(BUILD)/build.ninja:
	@scripts/install-packages --check build
	@meson setup $(BUILD) $(MESON_FLAGS)

.PHONY: plait
plait: $(BUILD)/build.ninja
	@ninja -C $(BUILD) plait

deps: ## install what building and testing need (Debian packages)
	@scripts/install-packages

demo: ## a file over two emulated links, one of them cut half way (no root needed)
	@scripts/install-packages build
	@$(MAKE) --no-print-directory plait
	@$(BUILD)/plait demo $(ARGS)

test: ## everything that CI runs: checks, gcc and clang, sanitizers, simulation, interop
	@scripts/install-packages build test lint manual
	@scripts/run-tests $(ARGS)

bench: ## plait and kernel side by side over veths: ratios, Gbit/s, CPU a byte (root)
	@scripts/install-packages build test
	@$(MAKE) --no-print-directory all
	@tests/bench/bench.py --plait $(BUILD)/plait --kernel-bench $(BUILD)/tests/bench/kernel_bench $(ARGS)

soak: ## full rate while paths come and go: nothing grows; make soak SECONDS=1800 (root)
	@scripts/install-packages build test
	@$(MAKE) --no-print-directory plait
	@tests/bench/soak.py --plait $(BUILD)/plait --time $(SECONDS) $(ARGS)

# Without ARGS everything, both documents; with them the rows that they name.
compat: ## unmodified programs under plait run; rewrites docs/compatibility.md (root)
	@scripts/install-packages build test
	@$(MAKE) --no-print-directory all
ifeq ($(ARGS),)
	@tests/compat/run.py --plait $(BUILD)/plait --write docs/compatibility.md
else
	@tests/compat/run.py --plait $(BUILD)/plait $(ARGS)
endif

interop: ## plait against the kernel, every case; rewrites docs/interop.md and middleboxes.md (root)
	@scripts/install-packages build test
	@$(MAKE) --no-print-directory all
ifeq ($(ARGS),)
	@tests/interop/run.py --plait $(BUILD)/plait --markdown || failed=1; \
	tests/interop/matrix.py --plait $(BUILD)/plait && exit $${failed:-0}
else
	@tests/interop/run.py --plait $(BUILD)/plait $(ARGS)
endif

swarm: ## random simulator runs against the oracles: make swarm SEEDS=10000
	@scripts/install-packages build
	@$(MAKE) --no-print-directory plait
	@$(BUILD)/plait sim swarm --seeds 1..$(SEEDS) $(ARGS)

experiments: ## the published experiments, all of them; rewrites docs/results.md
	@scripts/install-packages build test
	@$(MAKE) --no-print-directory plait
	@experiments/run.py --plait $(BUILD)/plait --out $(BUILD)/experiments --markdown docs/results.md $(ARGS)

experiments-quick: ## a reduced set of them, PASS or FAIL a row
	@scripts/install-packages build
	@$(MAKE) --no-print-directory plait
	@experiments/run.py --plait $(BUILD)/plait --out $(BUILD)/experiments --quick $(ARGS)

manual: ## the reference manual, from the public headers: build/manual/html
	@scripts/install-packages manual
	@mkdir -p $(BUILD)/manual
	@(cat docs/Doxyfile; echo "OUTPUT_DIRECTORY = $(BUILD)/manual") | doxygen -
	@echo "$(BUILD)/manual/html/index.html"

package: ## Debian packages of what is committed: build/package
	@scripts/install-packages build package
	@scripts/make-package $(BUILD)/package

lint: ## style, static analysis and the layout checks
	@scripts/install-packages build lint
	@scripts/lint $(ARGS)

install: all ## install under PREFIX (default /usr/local); DESTDIR is honoured
	@meson install -C $(BUILD) --no-rebuild

uninstall: ## remove what install put there
	@ninja -C $(BUILD) uninstall

clean: ## remove every build directory
	@rm -rf $(BUILD) build-asan build-clang

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-18s %s\n", $$1, $$2}' Makefile
