# Targets for instructors, included by the Makefile.
# SPDX-License-Identifier: MIT

## For instructors (lessons/assignments):

# Every source except runner.c, which grade.sh links with each submission.
$(call program,lessons/assignments/grader,\
  $(filter-out %/runner.c,$(wildcard lessons/assignments/*.c)))

# Submissions are graded in double whatever REAL is. grade.sh compiles them, because a submission
# that does not compile gets a report too.
grade: $(B)/double/lessons/assignments/grader ## grade a solution: A=a1_elu SUBMISSION=elu.c
	@A=$(call quote,$(A)) SUBMISSION=$(call quote,$(SUBMISSION)) SEED=$(call quote,$(SEED)) \
	LIMIT=$(call quote,$(LIMIT)) B=$(call quote,$(B)) GRADER=$(call quote,$<) \
	CC=$(call quote,$(CC)) FLAGS=$(call quote,$(FLAGS) $(double_FLAGS)) \
	LIBS=$(call quote,$(LIBS)) CHECK=$(call quote,$(CHECK)) sh lessons/assignments/grade.sh

.PHONY: grade
