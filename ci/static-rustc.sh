#!/bin/sh
# Cargo calls it in rustc's place for the workspace's crates: programs are linked without libraries of
# the system's. See `ci/static.sh`.
rustc=$1
shift
case " $* " in
*' --print='*) exec "$rustc" "$@" ;;
*' --crate-type bin '*) exec "$rustc" "$@" -C target-feature=+crt-static ;;
*) exec "$rustc" "$@" ;;
esac
