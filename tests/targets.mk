# Targets for developers, included by the Makefile.
# SPDX-License-Identifier: MIT

## For developers (tests):

$(call program,tests/bench/bench,$(wildcard tests/bench/*.c) lessons/kit/networks.c)
$(call program,tests/bench/gemm-steps,\
  $(wildcard tests/bench/gemm_steps/*.c) $(addprefix tests/bench/,time.c list.c limits.c))

$(call program,tests/golden/accuracy,tests/golden/accuracy.c)

asan: ## run the tests under the address and undefined-behaviour sanitizers
	@$(MAKE) --no-print-directory MODE=asan B=$(B)/asan check

check-all: ## test the graders at length: ten rounds, the default limits, every user
	@B='$(B)' ROUNDS=10 ALL=1 LIMIT= bash .ci/assignments

# The thread sanitizer cannot follow threads that start after a fork, so Check must not fork.
tsan: ## run the tests under the thread sanitizer, without forking
	@CK_FORK=no $(MAKE) --no-print-directory MODE=tsan B=$(B)/tsan check

cross: ## run the tests for another processor, emulated (TARGET=s390x or i686)
	@MAKE='$(MAKE)' CFLAGS=$(call quote,$(CFLAGS)) sh tests/cross '$(TARGET)' '$(B)/cross-$(TARGET)'

BENCHES := $(B)/$(REAL)/tests/bench

bench: $(BENCHES)/bench ## measure speed, and PyTorch's if installed (BENCH="gemm adam" ROUNDS=1)
	@sh tests/bench/run.sh $< $(B)/bench$(if $(filter double,$(REAL)),-double) $(BENCH)

gemm-steps: $(BENCHES)/gemm-steps ## measure eight steps to a fast matmul (ARGS="--step 3 --n 512")
	@$< $(ARGS)

# A Python that has torch.
TORCH = $(or $(shell for p in python3 /usr/bin/python3; do \
          $$p -c 'import torch' 2>/dev/null && echo $$p && break; done),\
          $(error found no python3 with torch, which make accuracy compares with))

accuracy: $(B)/float/tests/golden/accuracy ## compare errors in ulps with PyTorch's (needs it)
	@$(TORCH) tests/golden/accuracy.py $<

.PHONY: asan check-all tsan cross bench gemm-steps accuracy
