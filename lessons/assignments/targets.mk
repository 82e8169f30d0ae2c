# Targets for instructors, included by the Makefile.
# SPDX-License-Identifier: MIT

## For instructors (lessons/assignments):

ASSIGNMENTS := $(patsubst lessons/assignments/%/points.txt,%,\
                 $(sort $(wildcard lessons/assignments/*/points.txt)))
SOLVER      := $(patsubst %.c,$(B)/double/%.o,$(wildcard lessons/assignments/solver/*.c))

# Per assignment a judge, which is never linked with a submission, and the objects with which
# submissions are linked. Both are in double whatever REAL is.
$(foreach a,$(ASSIGNMENTS),$(call program,lessons/assignments/$(a)/judge,\
  $(wildcard lessons/assignments/judge/*.c) lessons/assignments/solver/wire.c \
  lessons/assignments/$(a)/tests.c,$$(CHECK)))

# What a user writes after A= and SUBMISSION= is data: it is never expanded, by make or by a shell.
unexport A B SUBMISSION SEED LIMIT OUT
asked := $(filter $(ASSIGNMENTS),$(value A))

# Submissions are compiled with these flags, whatever CFLAGS and MODE are.
SUBMISSION_FLAGS = -std=c11 -D_DEFAULT_SOURCE -DSLOPE_DOUBLE -O2 -I. $(WARN) $(MATH) $(ARCHFLAGS) \
  -fno-stack-protector -U_FORTIFY_SOURCE

$(B)/grade.flags: FORCE
	@$(call keep,$(SUBMISSION_FLAGS))

# The judge of assignment A and what it needs; grade.sh calls this.
judge: $(foreach a,$(asked),$(B)/double/lessons/assignments/$(a)/judge \
                            $(B)/double/lessons/assignments/$(a)/services.o) \
       $(SOLVER) $(B)/libslope-double.a

grade: export GRADE_A = $(value A)
grade: export GRADE_SUBMISSION = $(value SUBMISSION)
grade: export GRADE_SEED = $(value SEED)
grade: export GRADE_LIMIT = $(value LIMIT)
grade: export GRADE_OUT = $(value OUT)
grade: export GRADE_COMPILE = $(CC) $(SUBMISSION_FLAGS)
grade: export GRADE_LINK = $(B)/libslope-double.a $(LIBS) $(call accepted,-static)
grade: ## grade a solution: A=a1_elu SUBMISSION=elu.c
	@MAKE='$(MAKE)' sh lessons/assignments/grade.sh '$(B)' '$(ASSIGNMENTS)'

.PHONY: grade judge
