# Targets for assignments, included by the Makefile.
# SPDX-License-Identifier: MIT

ASSIGNMENTS := $(patsubst lessons/assignments/%/points.txt,%,\
                 $(sort $(wildcard lessons/assignments/*/points.txt)))
SOLVER      := $(patsubst %.c,$(B)/double/%.o,$(wildcard lessons/assignments/solver/*.c))

# Per assignment a judge, which is never linked with a submission, and the objects with which
# submissions are linked. Both are in double whatever REAL is.
$(foreach a,$(ASSIGNMENTS),$(call program,lessons/assignments/$(a)/judge,\
  $(wildcard lessons/assignments/judge/*.c) lessons/assignments/solver/wire.c \
  lessons/assignments/$(a)/tests.c,$$(CHECK)))
$(call program,lessons/assignments/tools/class,$(addprefix lessons/assignments/,\
  tools/class.c tools/submissions.c judge/points.c judge/results.c))

# A judge is rebuilt when its hidden tests are added or removed: tests.c includes them if they exist.
$(B)/double/lessons/assignments/%/included: FORCE
	@$(call keep,$(wildcard lessons/assignments/$*/hidden.c))
$(foreach a,$(ASSIGNMENTS),$(eval \
  $(B)/double/lessons/assignments/$(a)/tests.o: $(B)/double/lessons/assignments/$(a)/included))

# What a user writes after A=, SUBMISSION= and so on is data: it is never expanded, by make or by a
# shell.
unexport A B SUBMISSION SEED LIMIT OUT DIR ANSWERS
asked := $(filter $(ASSIGNMENTS),$(value A))

# Submissions are compiled with these flags, whatever CFLAGS and MODE are.
SUBMISSION_FLAGS = -std=c11 -D_DEFAULT_SOURCE -DSLOPE_DOUBLE -O2 -I. $(WARN) $(MATH) $(ARCHFLAGS) \
  -fno-stack-protector -U_FORTIFY_SOURCE

# An assignment may add flags in its file `flags`.
submission = $(CC) $(SUBMISSION_FLAGS) $(shell cat lessons/assignments/$(1)/flags 2>/dev/null)
submission_link = $(B)/libslope-double.a $(LIBS) $(call accepted,-static)

# The shell script that runs the judge of assignment A: the same for one submission, for a class and
# on Gradescope.
services  = $(SOLVER) $(B)/double/lessons/assignments/$(1)/services.o
run_judge = exec $(call quote,$(B)/double/lessons/assignments/$(1)/judge) \
  --assignment lessons/assignments/$(1) --compile $(call quote,$(call submission,$(1))) \
  --objects $(call quote,$(call services,$(1))) \
  --link $(call quote,$(submission_link)) \
  --solvers $(call quote,$(B)/double/lessons/assignments/$(1)/solvers) "$$@"

# Solvers of the assignment's own, with which submissions are compared: built as submissions are.
own_solvers = $(patsubst %.c,$(B)/double/%,$(wildcard lessons/assignments/$(1)/solvers/*.c))
define own_solver
$(B)/double/lessons/assignments/$(1)/solvers/%: lessons/assignments/$(1)/solvers/%.c \
    $(call services,$(1)) $(B)/libslope-double.a $(B)/double/lessons/assignments/$(1)/run
	@mkdir -p $$(@D)
	$$(call show,ld $$@)$$(call submission,$(1)) -Ilessons/assignments/$(1) $$< \
	  $(call services,$(1)) $$(submission_link) -o $$@
endef
$(foreach a,$(ASSIGNMENTS),$(eval $(call own_solver,$(a))))

$(B)/double/lessons/assignments/%/run: FORCE
	@$(call keep,$(call run_judge,$*))

# The judge of assignment A and what it needs; the scripts call this.
judge: $(foreach a,$(asked),$(B)/double/lessons/assignments/$(a)/judge \
                            $(B)/double/lessons/assignments/$(a)/run $(call services,$(a)) \
                            $(call own_solvers,$(a))) \
       $(B)/libslope-double.a
class: $(B)/double/lessons/assignments/tools/class

# The scripts get the values of variables in the environment, under names that begin with GRADE_.
start grade grade-all gradescope: export GRADE_A = $(value A)
grade grade-all: export GRADE_MODE = $(MODE)
grade grade-all: export GRADE_SEED = $(value SEED)
grade grade-all: export GRADE_LIMIT = $(value LIMIT)
grade grade-all: export GRADE_OUT = $(value OUT)
grade: export GRADE_SUBMISSION = $(value SUBMISSION)
grade-all: export GRADE_DIR = $(value DIR)
student-kit: export GRADE_ANSWERS = $(value ANSWERS)
on_assignment = sh lessons/assignments/$(1) '$(B)' '$(ASSIGNMENTS)'

## For students (lessons/assignments):

start: ## begin an assignment: A=a1_elu copies its starter to lessons/work/a1_elu
	@$(call on_assignment,tools/start.sh)

grade: ## grade a solution: A=a1_elu (SUBMISSION=path/to/elu.c for another file)
	@MAKE='$(MAKE)' $(call on_assignment,grade.sh)

## For instructors (lessons/assignments):

grade-all: ## grade a folder of submissions: A=a1_elu DIR=path writes build/marks/a1_elu
	@MAKE='$(MAKE)' $(call on_assignment,grade.sh) all

student-kit: ## pack this folder without hidden tests and solutions (ANSWERS=1: with answers)
	@sh lessons/assignments/tools/kit.sh '$(B)'

gradescope: ## pack an autograder for Gradescope: A=a1_elu
	@$(call on_assignment,tools/gradescope.sh)

# `make -j deps grade` compiles nothing until deps has finished.
ifneq ($(filter deps,$(MAKECMDGOALS)),)
grade grade-all: | deps
endif

.PHONY: start grade grade-all student-kit gradescope judge class
