/* lessons/assignments/judge/names.c -- which names a submission may define and need.
 *
 * This check is hygiene, and makes for clear messages: it keeps a student from calling the very
 * function that is to be written. It does not protect the grader; the sandbox does.
 *
 * SPDX-License-Identifier: MIT
 */
#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lessons/assignments/judge/grade.h"

enum { NAMES_MOST = 256, NAMES_LINE = 512 };

/* The lines of both files: `word` is "defines", "needs" or "never", `pattern` one of the names that
 * follow it, and `reason` the rest of a line with "never". */
typedef struct NameRule {
    char word[8], pattern[64], reason[256];
    bool found; /* does the submission have such a name? */
} NameRule;

typedef struct NameRules {
    int      n;
    NameRule rule[NAMES_MOST];
} NameRules;

static void names_add(NameRules *rules, const char *word, const char *pattern, const char *reason)
{
    if (rules->n == NAMES_MOST)
        judge_refuse("the lists of names have more than %d entries", NAMES_MOST);
    NameRule *r = &rules->rule[rules->n++];
    r->found = false;
    snprintf(r->word, sizeof r->word, "%s", word);
    snprintf(r->pattern, sizeof r->pattern, "%s", pattern);
    snprintf(r->reason, sizeof r->reason, "%s", reason);
}

static void names_read_line(NameRules *rules, char *line)
{
    char *word = strtok(line, " \t\n");
    if (!word || word[0] == '#')
        return;
    bool never = strcmp(word, "never") == 0;
    for (char *name; (name = strtok(NULL, " \t\n"));) {
        char *reason = never ? strtok(NULL, "\n") : NULL;
        names_add(rules, word, name, reason ? reason : "");
    }
}

static void names_read(NameRules *rules, const char *path)
{
    char line[NAMES_LINE];
    FILE *f = fopen(path, "r");
    if (!f)
        judge_refuse("cannot read '%s': %s", path, strerror(errno));
    while (fgets(line, sizeof line, f))
        names_read_line(rules, line);
    fclose(f);
}

static NameRule *names_find(NameRules *rules, const char *word, const char *name)
{
    for (int i = 0; i < rules->n; i++)
        if (strcmp(rules->rule[i].word, word) == 0 &&
            fnmatch(rules->rule[i].pattern, name, 0) == 0)
            return &rules->rule[i];
    return NULL;
}

/* Checks one line of the output of nm -P, "NAME TYPE VALUE SIZE". */
static bool names_check_line(NameRules *rules, const char *line, char said[GRADE_TEXT])
{
    char text[256], type;
    if (sscanf(line, "%255s %c", text, &type) != 2)
        return true;
#ifdef __APPLE__
    const char *name = text + (text[0] == '_'); /* names in C begin with _ there */
#else
    const char *name = text;
#endif
    const NameRule *never = names_find(rules, "never", name);
    bool needed = type == 'U' || type == 'w' || type == 'v';
    if (!needed && !isupper((unsigned char)type) && type != 'i' && type != 'u')
        return true; /* local to the file */
    const char *verb = needed ? "uses" : "defines";
    NameRule *rule = names_find(rules, needed ? "needs" : "defines", name);
    if (rule)
        rule->found = true;
    if (never)
        snprintf(said, GRADE_TEXT, "It %s %s: %s.\n", verb, name, never->reason);
    else if (!rule)
        snprintf(said, GRADE_TEXT, "It %s %s, which this assignment does not %s.\n", verb, name,
                 needed ? "allow" : "ask for: make it static");
    else
        return true;
    return false;
}

/* Is every required name defined? A pattern in the list does not require any name. */
static bool names_check_missing(const NameRules *rules, char said[GRADE_TEXT])
{
    for (int i = 0; i < rules->n; i++) {
        const NameRule *r = &rules->rule[i];
        if (strcmp(r->word, "defines") == 0 && !r->found && !strpbrk(r->pattern, "*?[")) {
            snprintf(said, GRADE_TEXT, "It does not define %s: is the name misspelt, or static?\n",
                     r->pattern);
            return false;
        }
    }
    return true;
}

bool names_are_allowed(const char *object, const char *common, const char *own,
                       char said[GRADE_TEXT])
{
    static NameRules rules;
    char list[GRADE_PATH], line[NAMES_LINE];
    rules.n = 0;
    names_read(&rules, common);
    names_read(&rules, own);
    snprintf(list, sizeof list, "%s.names", object);
    char *argument[] = {(char *)object, NULL};
    if (build_run("exec ${NM:-nm} -P \"$@\"", argument, list, 10) != 0)
        judge_refuse("nm cannot list the names in the submission's object file");
    FILE *f = fopen(list, "r");
    bool good = f != NULL;
    while (f && fgets(line, sizeof line, f))
        good = names_check_line(&rules, line, said) && good;
    if (f)
        fclose(f);
    return names_check_missing(&rules, said) && good;
}
