#!/bin/sh
# Stands where runc is: writes down how it was called, and ends with a code of its own.
printf '%s\n' "$@" >"$RECORD"
exit 7
