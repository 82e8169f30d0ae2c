# Slope -- build the library, run the lessons and the tests. `make help` lists the targets.
#
#   CC, CFLAGS, LDFLAGS  the compiler, and flags that are added after those below
#   CXX                  the C++ compiler, which only some examples need; by default CC's, as g++
#   B=build              the build folder; CC=clang B=build-clang makes a second build beside it
#   REAL=float           the precision of the tests: float or double
#   MODE=release         release, debug, asan, tsan or valgrind
#   ARCH=native          the processor to compile for; empty (as with MODE=valgrind) for the
#                        compiler's default
#   RUN=                 a program that runs the tests, such as valgrind or qemu-s390x
#   V=1                  show whole commands
#
# A new source file needs no change here. Objects are recompiled when the compiler, a flag or, with
# ARCH=native, the processor changes; a library is rebuilt when a source is added or deleted.
# SPDX-License-Identifier: MIT

# BSD make prints this line and stops; GNU make reads it as a rule, which is never used.
.error : This Makefile needs GNU make, which BSD systems call gmake.

CC   ?= cc
B    ?= build
REAL ?= float
MODE ?= release
# valgrind does not know every instruction of the newest processors.
ARCH ?= $(if $(filter valgrind,$(MODE)),,native)

ifeq ($(filter $(MODE),release debug asan tsan valgrind),)
$(error MODE is '$(MODE)'; expected release, debug, asan, tsan or valgrind)
endif
# B becomes part of rules and commands: its value is checked before it is first expanded.
special := $$ ' " ` ; & | < > ( ) \ * ? : % \#
ifneq ($(strip $(foreach c,$(special),$(findstring $(c),$(value B)))),)
$(error B is '$(value B)'; expected the name of one folder, without $$, quotes or the like)
endif
ifneq ($(words $(B)),1)
$(error B is '$(B)'; expected the name of one folder, without spaces)
endif
ifeq ($(filter $(REAL),float double),)
$(error REAL is '$(REAL)'; expected float or double)
endif

## For learners:

# The lessons' kit is a library, too, for programs outside this folder: lessons/kit/README.md.
KIT := $(wildcard lessons/kit/*.c)

all: $(B)/libslope-float.a $(B)/libslope-double.a ## build the libraries, in float and double
all: $(if $(KIT),$(B)/libslope-kit-float.a $(B)/libslope-kit-double.a)
double: $(B)/libslope-double.a                    ## build the double-precision library

# --- flags ----------------------------------------------------------------------------------------

WARN  = -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wdouble-promotion \
        -Wvla -Wstrict-prototypes -Wmissing-prototypes $(ENUMS)
# With -std=c11 GCC fuses multiply-adds only on request. The other two flags let the compiler
# vectorise square roots and the branch of PReLU. None of the three changes how NaN and Inf behave.
MATH  = -ffp-contract=fast -fno-math-errno -fno-trapping-math $(ROUNDING)

release_FLAGS  := -O3
debug_FLAGS    := -O1 -g -DSLOPE_DEBUG
asan_FLAGS     := $(debug_FLAGS) -fno-omit-frame-pointer -fsanitize=address,undefined \
                  -fno-sanitize-recover=all
tsan_FLAGS     := $(debug_FLAGS) -fsanitize=thread
valgrind_FLAGS := $(debug_FLAGS) -DSLOPE_NO_POOL
double_FLAGS   := -DSLOPE_DOUBLE

# $(call accepted,FLAG,OPTIONS): FLAG if the compiler accepts it, otherwise nothing.
accepted = $(shell echo 'int main(void){return 0;}' | \
             $(CC) -Werror $(2) -x c -o /dev/null - $(1) 2>/dev/null && echo '$(1)')
# These are evaluated when first used, because `make deps` may have to install the compiler and
# Check before that; $(eval) then replaces each variable with its value.
ARCHFLAGS = $(eval ARCHFLAGS := $(if $(ARCH),$(or $(call accepted,-march=$(ARCH),-c),\
              $(call accepted,-mcpu=$(ARCH),-c),$(unknown_arch))))$(ARCHFLAGS)
CHECK     = $(eval CHECK := $(or $(shell pkg-config --libs check 2>/dev/null),\
              -lcheck $(call accepted,-lsubunit) $(call accepted,-lrt)))$(CHECK)
# Enums name integer constants here, including some that are combined with reals.
ENUMS     = $(eval ENUMS := $(patsubst -W%,-Wno-%,\
              $(call accepted,-Wenum-float-conversion,-c)))$(ENUMS)
# With -std=c11, s390x would compute floats in double, and 32-bit x86 in 80 bits. With these flags
# the result of every operation is a float, as it is elsewhere.
ROUNDING  = $(eval ROUNDING := $(call accepted,-fexcess-precision=fast,-c) \
              $(call accepted,-msse2 -mfpmath=sse,-c))$(ROUNDING)
# The macros that the compiler predefines state its version and the instructions it may use, so
# their checksum differs if native means something else on this machine.
MACROS    = $(eval MACROS := $(shell $(CC) $(ARCHFLAGS) -dM -E -x c /dev/null 2>/dev/null | \
              cksum))$(MACROS)
# A compiler that does not know `native` compiles for its default. One that accepts no program at
# all is missing or broken, which the first compilation reports.
unknown_arch = $(if $(filter-out native,$(ARCH)),$(if $(call accepted,-c),\
  $(error ARCH is '$(ARCH)', which the compiler does not know; expected native, a name that \
  $(CC) accepts after -march= or -mcpu=, or nothing for its default)))

# Files of more than 2 GB can be opened where a long has 32 bits, too.
FLAGS = -std=c11 -D_DEFAULT_SOURCE -D_FILE_OFFSET_BITS=64 -pthread -I. $(WARN) $(MATH) \
        $(ARCHFLAGS) $($(MODE)_FLAGS) $(CFLAGS)
LIBS  = $(LDFLAGS) -pthread -lm

ifeq ($(origin CXX),default)
CXX := $(if $(filter cc,$(CC)),c++,$(subst clang,clang++,$(subst gcc,g++,$(CC))))
endif
CXX_FLAGS = $(filter-out -std=c11 -Wstrict-prototypes -Wmissing-prototypes,$(FLAGS)) -std=c++17

# --- the library, in float and in double ----------------------------------------------------------

SRC := $(wildcard $(foreach d,tensor autograd nn optim datasets,$(d)/*.c $(d)/*/*.c))

# $(call keep,TEXT): the recipe of a file that contains TEXT. A file that already contains it is
# left untouched, so that nothing is rebuilt because of it. Two makes may do this at once: each
# writes a file named after its shell's process and renames it. quote protects a text from the shell.
quote = '$(subst ','\'',$(1))'
keep  = mkdir -p $(@D); new=$@.$$$$; printf '%s\n' $(call quote,$(1)) > $$new; \
        cmp -s $$new $@ && rm $$new || mv $$new $@

# $(call show,TEXT) before a command prints TEXT in its place; with V=1 or make -s it does nothing.
silent = $(findstring s,$(firstword -$(MAKEFLAGS)))
show   = $(if $(V)$(silent),,@echo '  $(1)'; )

# The rules of one precision: $(1) is float or double.
define precision
$(B)/$(1)/flags: FORCE
	@$$(call keep,$$(CC) $$(FLAGS) $$($(1)_FLAGS) $$(LDFLAGS) $$(MACROS))
$(B)/$(1)/sources: FORCE
	@$$(call keep,$$(SRC))
$(B)/$(1)/kit: FORCE
	@$$(call keep,$$(KIT))
$(B)/$(1)/%.o: %.c $(B)/$(1)/flags
	@mkdir -p $$(@D)
	$$(call show,cc $$<)$$(CC) $$(FLAGS) $$($(1)_FLAGS) -MMD -MP -c $$< -o $$@
$(B)/$(1)/%.o: %.cpp $(B)/$(1)/flags
	@mkdir -p $$(@D)
	$$(call show,c++ $$<)$$(CXX) $$(CXX_FLAGS) $$($(1)_FLAGS) -MMD -MP -c $$< -o $$@
$(B)/libslope-$(1).a: $(SRC:%.c=$(B)/$(1)/%.o) $(B)/$(1)/sources
	@rm -f $$@
	$$(call show,ar $$@)$$(AR) rcs $$@ $$(filter %.o,$$^)
$(B)/libslope-kit-$(1).a: $(KIT:%.c=$(B)/$(1)/%.o) $(B)/$(1)/kit
	@rm -f $$@
	$$(call show,ar $$@)$$(AR) rcs $$@ $$(filter %.o,$$^)
endef
$(foreach p,float double,$(eval $(call precision,$(p))))

# --- the programs ---------------------------------------------------------------------------------

# The rule of one program; $(1) is its precision, $(2) to $(4) are its columns in the table.
define link
$(B)/$(1)/$(2): $(patsubst %,$(B)/$(1)/%.o,$(basename $(3))) $(B)/libslope-$(1).a
	$$(call show,ld $$@)$(if $(filter %.cpp,$(3)),$$(CXX) $$(CXX_FLAGS),$$(CC) $$(FLAGS)) $$^ $(4) \
	  $$(LIBS) -o $$@
endef
program = $(foreach p,float double,$(eval $(call link,$(p),$(1),$(2),$(3))))

LESSONS  := $(patsubst %.c,%,$(sort $(wildcard lessons/[0-9][0-9]_*.c)))
EXAMPLES := $(sort $(wildcard lessons/examples/*.c lessons/examples/*.cpp))
TESTS    := $(patsubst %.c,%,$(sort $(wildcard $(addsuffix /check_*.c,tests tests/* tests/*/*))))

# The table, one line per program: its path below $(B)/float and $(B)/double, its sources, and the
# libraries that it needs besides Slope. $$ delays the expansion of a variable until linking.
$(foreach l,$(LESSONS),$(call program,$(l),$(l).c $(KIT)))
$(foreach e,$(EXAMPLES),$(call program,$(basename $(e)),$(e) $(KIT)))
$(call program,lessons/page/page,$(wildcard lessons/page/*.c))
$(foreach t,$(TESTS),$(call program,$(t),$(t).c tests/testing.c,$$(CHECK)))

# These run in double whatever REAL is, because finite differences are too inaccurate in float.
DOUBLE_LESSONS := 04 15 16
DOUBLE_TESTS   := check_ops check_gradcheck

number     = $(firstword $(subst _, ,$(notdir $(1))))
LESSON_BIN := $(foreach l,$(LESSONS),\
                $(B)/$(if $(filter $(DOUBLE_LESSONS),$(call number,$(l))),double,float)/$(l))
TEST_BIN   := $(foreach t,$(TESTS),\
                $(B)/$(if $(filter $(DOUBLE_TESTS),$(notdir $(t))),double,$(REAL))/$(t))

# --- targets --------------------------------------------------------------------------------------

deps: ## install what is missing: a compiler, Check, gnuplot, Fashion-MNIST
	@CC='$(CC)' GOALS='$(MAKECMDGOALS)' sh .ci/deps
# `make -j deps check` compiles nothing until deps has finished.
ifneq ($(filter deps,$(MAKECMDGOALS)),)
$(B)/float/flags $(B)/double/flags: | deps
endif

check: $(TEST_BIN) ## build and run the tests (REAL=double: all of them in double)
	$(if $(TESTS),,@echo "make: there are no tests in this folder"; exit 2)
	@failed=; for t in $(TEST_BIN); do $(RUN) $$t || failed="$$failed $$t"; done; \
	if [ -n "$$failed" ]; then echo "FAILED:$$failed"; exit 1; fi

# Every run of a lesson, even a failing one, rewrites the page that shows all lessons.
PAGE = $(B)/float/lessons/page/page
page = $(PAGE) lessons $(B)/lessons $(if $(silent)$(filter --quiet --help,$(ARGS)),--quiet)

lessons: $(LESSON_BIN) $(PAGE) ## run every lesson (ARGS="--quick" for short runs)
	@failed=; for l in $(LESSON_BIN); do \
		$$l --out $(B)/lessons/$$(basename $$l | cut -c1-2) $(ARGS) || { failed=1; break; }; \
	done; $(page) && [ -z "$$failed" ]

# The target of one lesson; $(1) is its program, $(2) its number.
define lesson_target
.PHONY: lesson-$(2)
lesson-$(2): $(1) $(PAGE)
	@$(1) --out $(B)/lessons/$(2) $$(ARGS); status=$$$$?; $$(page) && exit $$$$status
endef
$(foreach l,$(LESSON_BIN),$(eval $(call lesson_target,$(l),$(call number,$(l)))))

lesson-%: ## run one lesson: make lesson-08 ARGS="--epochs 10"
	@echo "make: there is no lesson $*; there are: \
	$(foreach l,$(LESSONS),$(call number,$(l)))"; exit 2

page: $(PAGE) ## write build/lessons/index.html: every lesson that has run, on one page
	@$(page)

# Without a C++ compiler, those in C++ are skipped.
examples_cpp := $(filter %.cpp,$(EXAMPLES))
ifneq ($(and $(filter examples,$(MAKECMDGOALS)),$(examples_cpp)),)
no_cpp := $(shell $(CXX) -std=c++17 -x c++ -fsyntax-only /dev/null 2>/dev/null || echo $(examples_cpp))
endif
EXAMPLE_BIN := $(patsubst %,$(B)/$(REAL)/%,$(basename $(filter-out $(no_cpp),$(EXAMPLES))))

# Each runs in the current folder; its argument is the folder for the files that it writes.
examples: $(EXAMPLE_BIN) ## build and run the programs in lessons/examples
	$(if $(EXAMPLES),,@echo "make: there are no examples in this folder"; exit 2)
	$(if $(no_cpp),@echo "  skipped $(no_cpp): $(CXX) does not compile C++17")
	@mkdir -p $(B)/examples; failed=; for e in $^; do echo "  $$e"; \
		$$e $(B)/examples || failed="$$failed $$e"; done; \
	if [ -n "$$failed" ]; then echo "FAILED:$$failed"; exit 1; fi

clean: ## remove the build folder
	rm -rf $(B)

# Prints the headings (lines that begin with ##) and, below each, the targets whose lines have a
# description after ##.
help: ## list the targets
	@awk -F ':.*## ' '/^## / { print substr($$0, 4) } /^[a-z%-]+:.*## / { \
		sub(/%/, "NN", $$1); printf "  make %-12s %s\n", $$1, $$2 }' Makefile $(MORE)

## MODE=debug B=build-debug: each runs more slowly, but reports the use of what has been freed.

# Targets for instructors and for developers. A course's copy may lack either folder.
MORE := $(wildcard lessons/assignments/targets.mk tests/targets.mk)
include $(MORE)

.PHONY: all double deps check lessons page examples clean help FORCE
# Without its built-in suffix rules, none of which is used here, make starts twice as fast.
.SUFFIXES:
-include $(shell find $(B)/float $(B)/double -name '*.d' 2>/dev/null)
