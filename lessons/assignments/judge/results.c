/* lessons/assignments/judge/results.c -- the grade as text and as Gradescope's results.json.
 *
 * Source: https://gradescope-autograders.readthedocs.io/en/latest/specs/
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "lessons/assignments/judge/grade.h"
#include "tensor/files/json.h"

/* --- text ------------------------------------------------------------------------------------- */

void text_make_printable(char *text, const char *keep)
{
    for (unsigned char *p = (unsigned char *)text; *p; p++) {
        bool escape = *p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0; /* a control character in UTF-8 */
        if (escape || ((*p < 0x20 || *p == 0x7f) && !strchr(keep, *p)))
            *p = '?';
    }
}

static void text_line(char *text, size_t size, const char *format, ...) SLOPE_PRINTF(3, 4);
static void text_line(char *text, size_t size, const char *format, ...)
{
    size_t used = strlen(text);
    va_list args;
    va_start(args, format);
    vsnprintf(text + used, size - used, format, args);
    va_end(args);
}

const char *grade_title(char title[GRADE_TITLE], const char *assignment, const char *submission)
{
    const char *slash = strrchr(assignment, '/');
    snprintf(title, GRADE_TITLE, "%s: %s", slash ? slash + 1 : assignment, submission);
    text_make_printable(title, "");
    return title;
}

void outcome_text(const Outcome *o, const char *indent, char *text, size_t size)
{
    const struct { const char *name, *value; } line[] = {
        {"index     ", o->index}, {"expected  ", o->expected},
        {"got       ", o->got}, {"hint      ", o->hint}};
    text[0] = '\0';
    const char *sentence = o->passed ? o->note : o->message;
    if (sentence[0])
        text_line(text, size, "%s%s\n", indent, sentence);
    for (int i = 0; i < 4; i++)
        if (line[i].value[0])
            text_line(text, size, "%s%s%s\n", indent, line[i].name, line[i].value);
}

/* --- JSON ------------------------------------------------------------------------------------- */

/* A JSON string. The output of a program or a compiler may contain any bytes: control characters
 * are escaped, and a byte that is not valid UTF-8 becomes U+FFFD. */
static void json_write_string(FILE *f, const char *text)
{
    const uint8_t *p = (const uint8_t *)text;
    fputc('"', f);
    for (size_t left = strlen(text), n; left > 0; p += n, left -= n) {
        n = slope_utf8_length(p, left);
        if (n == 0)
            fputs("\\ufffd", f), n = 1;
        else if (*p == '"' || *p == '\\')
            fprintf(f, "\\%c", *p);
        else if (*p == '\n')
            fputs("\\n", f);
        else if (*p < 0x20 || *p == 0x7f)
            fprintf(f, "\\u%04x", (unsigned)*p);
        else
            fwrite(p, 1, n, f);
    }
    fputc('"', f);
}

static void json_write_member(FILE *f, const char *key, const char *value)
{
    fprintf(f, ",\n   \"%s\": ", key);
    json_write_string(f, value);
}

static void results_test(FILE *f, const GradeTest *t)
{
    char text[GRADE_TEXT];
    outcome_text(&t->outcome, "", text, sizeof text);
    fprintf(f, "  {\"score\": %g, \"max_score\": %g", t->outcome.passed ? t->points : 0, t->points);
    json_write_member(f, "status", t->outcome.passed ? "passed" : "failed");
    json_write_member(f, "number", t->number);
    json_write_member(f, "name", t->name);
    json_write_member(f, "output", text);
    json_write_member(f, "output_format", "text");
    json_write_member(f, "visibility", t->visibility);
    fputs("}", f);
}

static void results_leaderboard(FILE *f, const Grade *grade)
{
    const char *comma = "";
    fputs(" \"leaderboard\": [", f);
    for (int i = 0; i < grade->n; i++) {
        const Outcome *o = &grade->test[i].outcome;
        if (!o->leader[0])
            continue;
        fprintf(f, "%s\n  {\"name\": ", comma);
        json_write_string(f, o->leader);
        fprintf(f, ", \"value\": %.4g, \"order\": \"desc\"}", o->value);
        comma = ",";
    }
    fputs("]}\n", f);
}

static bool results_close(FILE *f, const char *path, Error *err)
{
    bool good = !ferror(f);
    return fclose(f) == 0 && good ? true : error_set(err, path, -1, "the disk may be full");
}

bool results_write(const Grade *grade, const char *path, Error *err)
{
    FILE *f = fopen(path, "w");
    if (!f)
        return error_set(err, path, -1, "cannot be written: %s", strerror(errno));
    fprintf(f, "{\"score\": %g,\n \"execution_time\": %.3f,\n \"output\": ", grade_score(grade),
            grade->seconds);
    json_write_string(f, grade->output);
    fputs(",\n \"output_format\": \"text\",\n \"stdout_visibility\": \"hidden\",\n"
          " \"tests\": [\n", f);
    const char *comma = "";
    for (int i = 0; i < grade->n; i++) {
        if (grade->test[i].outcome.absent)
            continue;
        fputs(comma, f);
        results_test(f, &grade->test[i]);
        comma = ",\n";
    }
    fputs("\n ],\n", f);
    results_leaderboard(f, grade);
    return results_close(f, path, err);
}

/* A CSV field: quoted, with quotes doubled. If a field begins with one of these characters, a
 * spreadsheet takes it for a formula, quoted or not, unless an apostrophe precedes it. */
static void row_text(FILE *f, const char *text)
{
    fputs(*text && strchr("=+-@\t\r\n", *text) ? "\"'" : "\"", f);
    for (; *text; text++)
        fputs(*text == '"' ? "\"\"" : (char[]){*text, '\0'}, f);
    fputc('"', f);
}

bool results_write_row(const Grade *grade, const char *name, const char *path, Error *err)
{
    FILE *f = fopen(path, "w");
    if (!f)
        return error_set(err, path, -1, "cannot be written: %s", strerror(errno));
    fputs("name,points", f);
    for (int i = 0; i < grade->n; i++)
        fprintf(f, ",%s", grade->test[i].number);
    fputs(",status\n", f);
    row_text(f, name);
    fprintf(f, ",%g", grade_score(grade));
    for (int i = 0; i < grade->n; i++) {
        const GradeTest *t = &grade->test[i];
        if (t->outcome.absent)
            fputc(',', f);
        else
            fprintf(f, ",%g", t->outcome.passed ? t->points : 0);
    }
    fprintf(f, ",%s\n", grade->status);
    return results_close(f, path, err);
}
