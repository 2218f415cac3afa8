#!/bin/sh
# Compiles QDBM's `dpmgr` as it is: `build.sh SOURCE CC PROGRAM`. CC is mman's compiler, or any other for
# the same program natively.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# On WASI without locks (an option of QDBM's own), and with a clock for what asks how long the processor
# was busy.
wasi="-DMYNOLOCK -D_WASI_EMULATED_PROCESS_CLOCKS -lwasi-emulated-process-clocks"
defined=$("$2" -dM -E -x c /dev/null)
case $defined in *__wasi__*) ;; *) wasi= ;; esac
# shellcheck disable=SC2086
"$2" -O2 -w -I "$1" -include "$here/posix.h" "$1/depot.c" "$1/cabin.c" "$1/myconf.c" "$1/dpmgr.c" $wasi \
    -o "$3"
