#!/bin/sh
# Gradescope runs this once, as root, when it builds the image: installs what is missing, builds the
# judge, and removes the sources of the tests. AUTOGRADER is the folder in which Gradescope has
# unpacked the zip as `source`.
# SPDX-License-Identifier: MIT
set -eu
root=${AUTOGRADER:-/autograder}
cd "$root/source/slope"
A=$(cat assignment)

is_ready() { # a compiler, make, Check, the headers of the sandbox, a static C library
    command -v make && echo '#include <linux/seccomp.h>
        #include <check.h>
        int main(void) { return 0; }' | gcc -static -x c -o /dev/null - -lm
}
if ! is_ready >/dev/null 2>&1; then
    apt-get update -q
    DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -q --no-install-recommends gcc make libc6-dev check
fi

# For any processor: the image may run on machines that differ from the one that builds it.
unset B MODE REAL CFLAGS LDFLAGS MAKEFLAGS 2>/dev/null || true
make -s -j"$(getconf _NPROCESSORS_ONLN)" CC=gcc ARCH= B=build A="$A" judge

# A submission may include any file that the user who compiles it can read.
rm -f "lessons/assignments/$A/hidden.c" "lessons/assignments/$A/tests.c" \
    "build/double/lessons/assignments/$A/tests.o"
chmod a+x "$root" "$root/source"
chmod -R a+rX,go-w "$root/source/slope"
chmod 711 "build/double/lessons/assignments/$A/judge" # it can be run, but not read
