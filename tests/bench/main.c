/* tests/bench/main.c -- one round of measurements of the requested benchmarks.
 *
 *  - bench [--quick] [NAME...]  prints a line "name,threads,ms,flops,bytes" for each name that
 *                               begins with a NAME, or for all. --quick: three runs of each.
 *  - bench --list [NAME...]     prints only the names.
 *  - bench --layers cnn|mlp B   prints "kernel,flops,bytes" of a step at batch size B; see cost.c.
 *
 * `make bench` calls run.sh, which alternates this with the same work in PyTorch and joins the
 * results.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "tensor/parallel.h"
#include "tests/bench/bench.h"

static void bench_measure(const Bench *b, void *state, double seconds)
{
    double ms = bench_time(b->run, state, seconds, b->fastest);
    b->check(state);
    printf("%s,%d,%.4f,%.0f,%.0f\n", b->name, parallel_threads(), ms, b->work.flops, b->work.bytes);
    fflush(stdout);
}

/* Measures with all threads and then, if the benchmark is about scaling, with one. */
static void bench_run(const Bench *b, double seconds)
{
    random_seed(1);
    void *state = b->make(b);
    bench_measure(b, state, seconds);
    if (b->scaling && parallel_threads() > 1) {
        parallel_set_threads(1);
        bench_measure(b, state, seconds);
        parallel_set_threads(0);
    }
    b->drop(state);
    memory_trim(); /* so that the next one gets fresh blocks, whichever ran before it */
}

static void bench_print_name(const Bench *b, double seconds)
{
    (void)seconds;
    printf("%s\n", b->name);
}

static int bench_print_layers(const char *network, double batch)
{
    bool cnn = strcmp(network, "cnn") == 0;
    if ((!cnn && strcmp(network, "mlp") != 0) || !(batch >= 1)) {
        fprintf(stderr, "bench: --layers expects cnn or mlp and a batch size of at least 1\n");
        return 2;
    }
    Cost c = cnn ? cost_of_conv_net_prelu(batch) : cost_of_prelu_network(batch);
    for (int i = 0; i < c.n; i++)
        printf("%s,%.0f,%.0f\n", c.line[i].name, c.line[i].work.flops, c.line[i].work.bytes);
    return 0;
}

int main(int argc, char **argv)
{
    char **name = argv + 1;
    int n = argc - 1;
    bool list = n > 0 && strcmp(*name, "--list") == 0;
    bool quick = n > 0 && strcmp(*name, "--quick") == 0;
    if (n == 3 && strcmp(*name, "--layers") == 0)
        return bench_print_layers(name[1], atof(name[2]));
    if (list || quick)
        name++, n--;
    limits_add(), gemms_add(), convs_add(), passes_add(), networks_add();
    if (!bench_check_prefixes(n, name))
        return 2;
    bench_each(n, name, list ? bench_print_name : bench_run, quick ? 0 : 0.15);
    return 0;
}
