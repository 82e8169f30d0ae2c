/* lessons/assignments/judge/points.c -- the table of points.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <string.h>

#include "lessons/assignments/judge/grade.h"

bool test_is_hidden(const GradeTest *t)
{
    return strcmp(t->visibility, "visible") != 0;
}

double grade_score(const Grade *grade)
{
    double score = 0;
    for (int i = 0; i < grade->n; i++)
        score += grade->test[i].outcome.passed ? grade->test[i].points : 0;
    return score;
}

double grade_most(const Grade *grade)
{
    double most = 0;
    for (int i = 0; i < grade->n; i++)
        most += grade->test[i].outcome.absent ? 0 : grade->test[i].points;
    return most;
}

char *grade_path(char path[GRADE_PATH], const char *folder, const char *name)
{
    if (snprintf(path, GRADE_PATH, "%s/%s", folder, name) >= GRADE_PATH)
        judge_refuse("the path '%s/%s' is too long", folder, name);
    return path;
}

static bool points_visibility_is_known(const char *word)
{
    static const char *const known[] = {"visible", "hidden", "after_due_date", "after_published"};
    for (int i = 0; i < 4; i++)
        if (strcmp(word, known[i]) == 0)
            return true;
    return false;
}

static bool points_has(const Grade *grade, const char *id)
{
    for (int i = 0; i < grade->n; i++)
        if (strcmp(grade->test[i].id, id) == 0)
            return true;
    return false;
}

static bool points_line(Grade *grade, const char *line, const char *path, int number, Error *err)
{
    GradeTest t = {0};
    int n = sscanf(line, "%7s %lf %31s %63s %127[^\n]", t.number, &t.points, t.visibility, t.id,
                   t.name);
    if (n <= 0 || t.number[0] == '#')
        return true;
    if (n < 5 || !(t.points >= 0))
        return error_set(err, path, -1, "line %d is not \"number points visibility id name\"",
                         number);
    if (!points_visibility_is_known(t.visibility))
        return error_set(err, path, -1, "line %d: unknown visibility '%s'", number,
                         t.visibility);
    if (points_has(grade, t.id))
        return error_set(err, path, -1, "line %d: test '%s' is listed twice", number, t.id);
    if (grade->n == GRADE_TESTS)
        return error_set(err, path, -1, "has more than %d tests", GRADE_TESTS);
    grade->test[grade->n++] = t;
    return true;
}

bool points_read(Grade *grade, const char *path, Error *err)
{
    FILE *f = fopen(path, "r");
    if (!f)
        return error_set(err, path, -1, "cannot be read: %s", strerror(errno));
    char line[512];
    bool good = true;
    for (int number = 1; good && fgets(line, sizeof line, f); number++)
        good = points_line(grade, line, path, number, err);
    fclose(f);
    return good && (grade->n > 0 || error_set(err, path, -1, "contains no tests"));
}
