# `make help` lists what there is. Every target does its own set-up.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
CLUSTER := $(PYTHON) hack/cluster
CRDS := crds/finetunejobs.yaml charts/finetune-operator/files/finetunejobs.yaml
TEST_CLUSTER := $(or $(FINETUNE_TEST_CLUSTER),test)
TEST_CLUSTERS := $(TEST_CLUSTER) $(TEST_CLUSTER)-2
OWN_CLUSTERS := --own-clusters -n 2 --max-worker-restart 0 --dist loadfile --no-loadscope-reorder
CHECKED := operator runner tests hack examples benchmarks

export HF_HUB_DISABLE_TELEMETRY := 1
export TOKENIZERS_PARALLELISM := false
unexport PYTHONDONTWRITEBYTECODE  # or every start compiles all it imports

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show this list.
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: demo-preflight venv ## The whole story on this machine: cluster, images, operator, a job, its int4 model answering (an hour cold, 10 min warm).
	$(BIN)/python hack/demo

.PHONY: demo-preflight
demo-preflight:
	@$(PYTHON) hack/demo preflight

.PHONY: preflight
preflight: ## Whether this machine can run the tests; changes nothing.
	@$(CLUSTER) preflight --disk 20

.PHONY: test
test: preflight test-unit test-runner test-cluster ## The tests in three tiers, but for the longest faults and Kueue (an hour cold, under 20 min warm).

.PHONY: test-unit
test-unit: venv ## Seconds; no cluster, no torch; two halves side by side, each of which imports only its own.
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target test-unit-half test-unit-rest

UNIT_HALF := cli runner_core
.PHONY: test-unit-half test-unit-rest
test-unit-half:
	$(BIN)/pytest $(addprefix tests/unit/,$(UNIT_HALF))
test-unit-rest:
	$(BIN)/pytest tests/unit $(addprefix --ignore=tests/unit/,$(UNIT_HALF))

.PHONY: soak
soak: venv ## The unit tier's properties, with thousands of examples each (half an hour and more).
	$(BIN)/pytest tests/unit -n 2 -m hypothesis --hypothesis-profile soak --timeout 0

.PHONY: test-runner
test-runner: venv ## Minutes; tiny models on the CPU and a real S3 server.
	$(CLUSTER) build --component versitygw
	$(BIN)/pytest tests/runner -m "not faults" -n 2 --dist loadfile

.PHONY: test-cluster
test-cluster: venv ## A real Kubernetes, real pods (25 min to build it once).
	$(CLUSTER) build
	$(CLUSTER) build --component kstatus --component kube-score --component promtool
	$(BIN)/pytest tests/cluster -m "not disruptive and not kueue and not faults" -n 2 --dist loadfile
	$(BIN)/pytest tests/cluster -m "disruptive and not faults" $(OWN_CLUSTERS)

.PHONY: test-faults
test-faults: venv ## The faults that `make test` has no time for, on two clusters side by side (20 min).
	$(CLUSTER) build
	$(CLUSTER) build --component kwok
	$(BIN)/pytest tests/runner -m faults
	$(BIN)/pytest tests/cluster -m faults $(OWN_CLUSTERS)

.PHONY: test-kueue
test-kueue: venv ## Stages that wait in a queue of a real Kueue; not part of `make test` (5 min, and 8 to build Kueue once).
	$(CLUSTER) build
	$(CLUSTER) build --component kueue
	$(BIN)/pytest tests/cluster -m kueue $(OWN_CLUSTERS)

.PHONY: test-gpu
test-gpu: venv ## What only a CUDA device can show; not part of `make test` (minutes).
	$(PYTHON) hack/cuda.py
	PYTHONPATH=.venv/cuda LD_LIBRARY_PATH=.venv/cuda/lib:$$LD_LIBRARY_PATH $(BIN)/pytest tests/gpu

.PHONY: test-images
test-images: ## The images from the Dockerfile, tried (10 min and 40 GB when Dockerfile or lock changed, a minute otherwise).
	$(PYTHON) hack/images check operator runner runner-cuda

.PHONY: build build-programs build-images
build: ## All that the tests above else build when they first need it: programs, environments, images (half an hour cold).
	$(CLUSTER) build --component versitygw
	@$(MAKE) --no-print-directory --jobs=2 build-programs build-images
build-programs:
	$(CLUSTER) build
	$(CLUSTER) build --component kstatus --component kube-score --component promtool --component kwok --component kueue
build-images:
	for made in ml-env operator thin-runner runner runner-cuda; do $(PYTHON) hack/images $$made || exit; done

.PHONY: sbom
sbom: venv ## What is in the images, as CycloneDX in build/sbom (builds them if need be).
	$(BIN)/python hack/images sbom operator runner runner-cuda

.PHONY: bench-cli
bench-cli: venv ## How long the command line takes, beside a bare Python and importing torch (a few minutes).
	PYTHONPATH=tests/support $(BIN)/python benchmarks/start_up.py

.PHONY: bench-training
bench-training: venv ## Tokens a second of a tuning pass, change by change (an accelerator: minutes; a CPU: an hour). Goes on where it was.
	PYTHONPATH=tests/support $(BIN)/python benchmarks/training_speed.py $(ARGS)

.PHONY: bench-olive
bench-olive: venv ## Our lora pass beside Olive's: speed, start-up, accuracy (hours; goes on where it was).
	PYTHONPATH=tests/support:hack $(BIN)/python benchmarks/runner/compare_olive.py $(ARGS)

.PHONY: bench-chain
bench-chain: venv ## From rows to an int4 model, our chain beside Olive's: seconds, and again with all cached, and size (an hour). Goes on where it was.
	PYTHONPATH=tests/support:hack $(BIN)/python benchmarks/runner/compare_chain.py $(ARGS)

.PHONY: bench-export
bench-export: venv ## Memory, time and error of an int4 export, beside the builder's own (minutes; a model of 1 B: an hour). Goes on where it was.
	PYTHONPATH=tests/support $(BIN)/python benchmarks/runner/export_memory.py $(ARGS)

.PHONY: bench-quality
bench-quality: venv ## What int4 keeps of a tuned model, by how it is rounded and merged (hours; goes on where it was).
	PYTHONPATH=tests/support $(BIN)/python benchmarks/runner/export_quality.py $(ARGS)

.PHONY: lint
lint: venv ## Style, types and import layers.
	$(BIN)/ruff check $(CHECKED)
	$(BIN)/ruff format --check $(CHECKED)
	$(BIN)/mypy
	PYTHONPATH=operator:runner $(BIN)/lint-imports

.PHONY: format
format: venv ## Let ruff rewrite what it can.
	$(BIN)/ruff check --fix $(CHECKED)
	$(BIN)/ruff format $(CHECKED)

.PHONY: generate
generate: venv ## Write what is made from the models: CRD, editors' schema, API reference, policy.
	$(BIN)/python -m finetune_api.crd $(CRDS)
	$(BIN)/python -m finetune_api.editor_schema crds/finetunejob.schema.json
	$(BIN)/python -m finetune_api.admission_policy charts/finetune-operator/files/policy.yaml
	$(BIN)/python -m finetune_api.api_reference docs/api-reference.md

.PHONY: lock
lock: venv ## Pin all dependencies anew, with hashes.
	$(PYTHON) hack/lock.py

.PHONY: venv
venv:
	@$(PYTHON) hack/venv.py

.PHONY: cluster-up
cluster-up: ## A single-node Kubernetes and an S3 server on this machine (NAME=demo).
	$(CLUSTER) build
	$(CLUSTER) up --name $(or $(NAME),demo)

.PHONY: cluster-down
cluster-down: ## Stop the clusters and remove their state (NAME=one of them; default: demo and those of the tests).
	for name in $(or $(NAME),demo $(TEST_CLUSTERS)); do $(CLUSTER) down --name $$name --purge || exit; done

.PHONY: clean
clean: cluster-down ## Also remove images, the environment for tests, .venv and .demo. Built programs stay in the cache.
	$(PYTHON) hack/images clean
	rm -rf .venv .demo
