# Slope -- build, test, run the lessons. `make help` lists the targets.
#
# B names the build folder. Objects remember the compiler and flags they were made with
# (in B/float/flags and B/double/flags) and are made again when those change, a library when
# its list of sources does;
# `make CC=clang B=build-clang check` keeps a second build beside the first.

CC   ?= cc
B    ?= build
ARCH ?= native
REAL ?= float
MODE ?= release

ifeq ($(filter $(MODE),release debug asan tsan valgrind),)
$(error MODE is '$(MODE)'; expected release, debug, asan, tsan or valgrind)
endif
ifeq ($(filter $(REAL),float double),)
$(error REAL is '$(REAL)'; expected float or double)
endif

# $(call try,FLAG): FLAG if the compiler takes it, else nothing.
try = $(shell echo 'int main(void){return 0;}' | \
        $(CC) -Werror $(1) -x c -c -o /dev/null - 2>/dev/null && echo '$(1)')

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wdouble-promotion \
        -Wvla -Wstrict-prototypes -Wmissing-prototypes
# With -std=c11 GCC fuses no multiply-add unless told to; the other two let square roots and
# PReLU's branch vectorise. None of the three lets the compiler change a NaN or an Inf.
MATH := -ffp-contract=fast -fno-math-errno -fno-trapping-math
# Found out at first use, when `make deps` has installed a compiler, and kept.
arch = $(if $(ARCH),$(or $(call try,-march=$(ARCH)),$(call try,-mcpu=$(ARCH))))
ARCHFLAGS = $(eval ARCHFLAGS := $(arch))$(ARCHFLAGS)

release  := -O3
debug    := -O1 -g -DSLOPE_DEBUG
asan     := $(debug) -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
tsan     := $(debug) -fsanitize=thread
valgrind := $(debug) -DSLOPE_NO_POOL
double_REAL := -DSLOPE_DOUBLE

FLAGS   = -std=c11 -D_DEFAULT_SOURCE -pthread -I. $(WARN) $(MATH) $(ARCHFLAGS) $($(MODE)) $(CFLAGS)
LIBS    = $(LDFLAGS) -pthread -lm
CHECK   = $(or $(shell pkg-config --libs check 2>/dev/null),\
               -lcheck $(call trylib,-lsubunit) $(call trylib,-lrt))
trylib  = $(shell echo 'int main(void){return 0;}' | \
            $(CC) -x c -o /dev/null - $(1) 2>/dev/null && echo '$(1)')

SRC     := $(wildcard $(foreach d,tensor autograd nn optim datasets,$(d)/*.c $(d)/*/*.c))
LESSONS := $(sort $(wildcard lessons/[0-9][0-9]_*.c))
HARNESS := $(wildcard lessons/kit/*.c)
PAGE_SRC := $(wildcard lessons/page/*.c)
TESTS   := $(sort $(wildcard tests/*/check_*.c tests/*/*/check_*.c))
BENCH_SRC := $(wildcard tests/bench/*.c) lessons/kit/networks.c
GRADER_SRC := $(filter-out %/runner.c,$(wildcard lessons/assignments/*.c))
STEPS_SRC := $(wildcard tests/bench/gemm_steps/*.c) $(addprefix tests/bench/,time.c list.c limits.c)

# What needs double precision whatever REAL is: finite differences in float see too little.
DOUBLE_LESSONS := 04 15 16
DOUBLE_TESTS   := check_ops check_gradcheck

number      = $(firstword $(subst _, ,$(notdir $(1))))
lesson_real = $(if $(filter $(DOUBLE_LESSONS),$(call number,$(1))),double,float)
test_real   = $(if $(filter $(DOUBLE_TESTS),$(notdir $(1))),double,$(REAL))
LESSON_BIN := $(foreach l,$(LESSONS:%.c=%),$(B)/$(call lesson_real,$(l))/$(l))
TEST_BIN   := $(foreach t,$(TESTS:%.c=%),$(B)/$(call test_real,$(t))/$(t))

all: $(B)/libslope-float.a $(B)/libslope-double.a ## build both libraries
double: $(B)/libslope-double.a                    ## build the double-precision library

# $(call keep,TEXT): writes TEXT to $@, but leaves a file that says so already as it is, so that
# nothing is made again without need. The text is quoted for the shell.
quote = '$(subst ','\'',$(1))'
keep  = mkdir -p $(@D); printf '%s\n' $(call quote,$(1)) > $@.new; \
        cmp -s $@.new $@ && rm $@.new || mv $@.new $@

# In front of a command: a short line in its place; with V=1 the whole of it, with -s nothing.
silent = $(findstring s,$(firstword -$(MAKEFLAGS)))
show   = $(if $(V)$(silent),,@echo '  $(1)'; )

# The rules for one precision; $(1) is float or double.
define precision
$(B)/$(1)/flags: FORCE
	@$$(call keep,$$(CC) $$(FLAGS) $$($(1)_REAL) $$(LDFLAGS))
$(B)/$(1)/sources: FORCE
	@$$(call keep,$$(SRC))
$(B)/$(1)/%.o: %.c $(B)/$(1)/flags
	@mkdir -p $$(@D)
	$$(call show,cc $$<)$(CC) $$(FLAGS) $$($(1)_REAL) -MMD -MP -c $$< -o $$@
$(B)/libslope-$(1).a: $(SRC:%.c=$(B)/$(1)/%.o) $(B)/$(1)/sources
	@rm -f $$@
	$$(call show,ar $$@)$$(AR) rcs $$@ $$(filter %.o,$$^)
$(B)/$(1)/lessons/%: $(B)/$(1)/lessons/%.o $(HARNESS:%.c=$(B)/$(1)/%.o) $(B)/libslope-$(1).a
	$$(call show,ld $$@)$(CC) $$(FLAGS) $$^ $$(LIBS) -o $$@
$(B)/$(1)/lessons/page/page: $(PAGE_SRC:%.c=$(B)/$(1)/%.o) $(B)/libslope-$(1).a
	$$(call show,ld $$@)$(CC) $$(FLAGS) $$^ $$(LIBS) -o $$@
$(B)/$(1)/lessons/assignments/grader: $(GRADER_SRC:%.c=$(B)/$(1)/%.o) $(B)/libslope-$(1).a
	$$(call show,ld $$@)$(CC) $$(FLAGS) $$^ $$(LIBS) -o $$@
$(B)/$(1)/tests/%: $(B)/$(1)/tests/%.o $(B)/$(1)/tests/testing.o $(B)/libslope-$(1).a
	$$(call show,ld $$@)$(CC) $$(FLAGS) $$^ $$(CHECK) $$(LIBS) -o $$@
$(B)/$(1)/tests/bench/bench: $(BENCH_SRC:%.c=$(B)/$(1)/%.o) $(B)/libslope-$(1).a
	$$(call show,ld $$@)$(CC) $$(FLAGS) $$^ $$(LIBS) -o $$@
$(B)/$(1)/tests/bench/gemm-steps: $(STEPS_SRC:%.c=$(B)/$(1)/%.o) $(B)/libslope-$(1).a
	$$(call show,ld $$@)$(CC) $$(FLAGS) $$^ $$(LIBS) -o $$@
endef
$(eval $(call precision,float))
$(eval $(call precision,double))

# In `make -j deps check` nothing is compiled before deps is done.
ifneq ($(filter deps,$(MAKECMDGOALS)),)
$(B)/float/flags $(B)/double/flags: | deps
endif
deps: ## install what is missing: Check, gnuplot, Fashion-MNIST
	@CC='$(CC)' sh .ci/deps

check: $(TEST_BIN) ## build and run the tests (REAL=double: all of them in double)
	@failed=; for t in $(TEST_BIN); do $$t || failed="$$failed $$t"; done; \
	if [ -n "$$failed" ]; then echo "FAILED:$$failed"; exit 1; fi

asan: ## the tests under the address and undefined-behaviour sanitizers
	@$(MAKE) --no-print-directory MODE=asan B=$(B)/asan check
tsan: ## the tests under the thread sanitizer, without forking
	@CK_FORK=no $(MAKE) --no-print-directory MODE=tsan B=$(B)/tsan check

# Writes $(B)/lessons/index.html, one page of every lesson that has run, also when one failed.
PAGE = $(B)/float/lessons/page/page
page = $(PAGE) lessons $(B)/lessons $(if $(silent)$(filter --quiet --help,$(ARGS)),--quiet)

lessons: $(LESSON_BIN) $(PAGE) ## run every lesson (ARGS="--quick" for short runs)
	@failed=; for l in $(LESSON_BIN); do \
		$$l --out $(B)/lessons/$$(basename $$l | cut -c1-2) $(ARGS) || { failed=1; break; }; \
	done; $(page) && [ -z "$$failed" ]

# lesson-08 and its like: one rule a lesson, $(1) its program, $(2) its number.
define lesson_rule
.PHONY: lesson-$(2)
lesson-$(2): $(1) $(PAGE)
	@$(1) --out $(B)/lessons/$(2) $$(ARGS); status=$$$$?; $$(page) && exit $$$$status
endef
$(foreach l,$(LESSON_BIN),$(eval $(call lesson_rule,$(l),$(call number,$(l)))))

page: $(PAGE) ## write build/lessons/index.html: every lesson that has run, on one page
	@$(page)

lesson-%: ## run one lesson: make lesson-08 ARGS="--epochs 10"
	@echo "make: there is no lesson $*; there are: \
	$(foreach l,$(LESSON_BIN),$(call number,$(l)))"; exit 2

# Graded in double, whatever REAL is. The submission is compiled by grade.sh, for its messages.
grade: $(B)/double/lessons/assignments/grader ## grade a solution: A=a1_elu SUBMISSION=elu.c
	@A=$(call quote,$(A)) SUBMISSION=$(call quote,$(SUBMISSION)) SEED=$(call quote,$(SEED)) \
	LIMIT=$(call quote,$(LIMIT)) B=$(call quote,$(B)) GRADER=$(call quote,$<) \
	CC=$(call quote,$(CC)) FLAGS=$(call quote,$(FLAGS) $(double_REAL)) \
	LIBS=$(call quote,$(LIBS)) CHECK=$(call quote,$(CHECK)) sh lessons/assignments/grade.sh

bench: $(B)/$(REAL)/tests/bench/bench ## measure speed, against PyTorch if there (BENCH="gemm adam" ROUNDS=1)
	@sh tests/bench/run.sh $< $(B)/bench$(if $(filter double,$(REAL)),-double) $(BENCH)
gemm-steps: $(B)/$(REAL)/tests/bench/gemm-steps ## a fast matrix product, step by step (ARGS="--step 3 --n 512")
	@$< $(ARGS)

clean: ## remove the build folder
	rm -rf $(B)

help: ## list the targets
	@grep -hE '^[a-z%-]+:.*## ' Makefile | awk -F':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

.PHONY: all double deps check asan tsan lessons page grade bench gemm-steps clean help FORCE
.SECONDARY:
-include $(shell find $(B) -name '*.d' 2>/dev/null)
