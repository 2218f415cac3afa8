#!/bin/sh
# Compiles tinycdb as it is: `build.sh SOURCE CC PROGRAM`. CC is mman's compiler, or any other for the
# same program natively.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
"$2" -O2 -w -include "$here/posix.h" "$1"/cdb.c "$1"/cdb_*.c -o "$3"
