/* optim/history.c -- the history: one record per epoch, and the file they are written to.
 *
 * SPDX-License-Identifier: MIT
 */
#include "optim/trainer.h"

#include "tensor/files/decimal.h"
#include "tensor/files/durable.h"
#include "tensor/memory.h"

void history_free(History *history)
{
    if (!history)
        slope_fail("history_free", "the history is NULL");
    memory_free(history->record);
    *history = (History){0};
}

/* For slope_durable_print. */
static void history_print(FILE *f, const void *ctx)
{
    const History *history = ctx;
    locale_t before = slope_decimal_begin();
    fprintf(f, "epoch,train_loss,train_accuracy,test_loss,test_accuracy,seconds\n");
    for (int i = 0; i < history->count; i++) {
        const EpochRecord *r = &history->record[i];
        fprintf(f, "%d,%.6f,%.6f,%.6f,%.6f,%.3f\n", r->epoch, r->train_loss, r->train_accuracy,
                r->test_loss, r->test_accuracy, r->seconds);
    }
    slope_decimal_end(before);
}

bool history_write_csv(const History *history, const char *path, Error *err)
{
    const char *missing = !history ? "history" : !path ? "path" : NULL;
    if (missing)
        slope_fail("history_write_csv", "the %s is NULL", missing);
    return slope_durable_print(path, history_print, history, err);
}
