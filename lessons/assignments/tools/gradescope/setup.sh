#!/bin/sh
# Gradescope runs this once, as root, when it builds the image: installs what is missing, builds the
# judge, and removes the sources of the tests. AUTOGRADER is the folder in which Gradescope has
# unpacked the zip as `source`.
# SPDX-License-Identifier: MIT
set -eu
root=${AUTOGRADER:-/autograder}
cd "$root/source/slope"
A=$(cat assignment)

is_ready() { # make, a compiler, Check, and the headers of the sandbox
    command -v make && printf '#include <%s>\n' stdio.h check.h linux/seccomp.h |
        gcc -x c -fsyntax-only -
}
if ! is_ready >/dev/null 2>&1; then
    apt-get update -q
    DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -q --no-install-recommends gcc make libc6-dev check
fi

# For any processor: the image may run on machines that differ from the one that builds it.
unset B MODE REAL MAKEFLAGS MAKELEVEL
make -s -j"$(getconf _NPROCESSORS_ONLN)" CC=gcc ARCH= B=build A="$A" judge

# A submission may include any file that the user who compiles it can read.
rm -f "lessons/assignments/$A/"*.c "build/double/lessons/assignments/$A/tests.o"
chmod a+x "$root" "$root/source"
chmod -R a+rX,go-w "$root/source/slope"
chmod 711 "build/double/lessons/assignments/$A/judge" # it can be run, but not read
