#!/usr/bin/env bash
# Runs this tree's benchmark and another clone's by turns, and prints of each row the medians and
# their ratio: what a change made faster or slower, in one run on one machine.
#
# Usage: ci/compare-bench.sh OTHER_CLONE [ROUNDS] [ARGUMENT...]
#   the rounds are 3 unless said otherwise; arguments are for `cargo xtask bench --quick --`, such as
#   --only "read random 4 kib"
set -euo pipefail
cd "$(dirname "$0")/.."
other=$(cd "$1" && pwd)
rounds=${2:-3}
shift $(($# > 1 ? 2 : 1))
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# Each by its own xtask, into a target directory of its own: a clone's build is no other's.
bench() { # CLONE FILE [ARGUMENT...]
    (cd "$1" && CARGO_TARGET_DIR=$1/target cargo xtask bench --quick "${@:3}" >"$2" 2>"$2.log") ||
        { tail -n 20 "$2.log" >&2; exit 1; }
}
echo "building both" >&2
bench "$other" "$out/warm" -- --check
bench "$PWD" "$out/warm" -- --check
for round in $(seq "$rounds"); do
    echo "round $round of $rounds" >&2
    bench "$other" "$out/old.$round" -- "$@"
    bench "$PWD" "$out/new.$round" -- "$@"
done

# A row is a table's title, a contender and a column; its number is what stands before a parenthesis.
python3 - "$out" "$rounds" <<'EOF'
import glob, re, statistics, sys
out, rounds = sys.argv[1], int(sys.argv[2])

def rows(path):
    title, head = "", []
    for line in open(path):
        if line.startswith("### "):
            title, head = line[4:].strip(), []
        elif line.startswith("| ") and not line.startswith("| -"):
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            if not head:
                head = cells
                continue
            for column, cell in zip(head[1:], cells[1:]):
                number = re.match(r"[0-9][0-9,.]*", cell)
                if number and title:
                    yield (title, cells[0], column), float(number[0].replace(",", ""))

def medians(which):
    found = {}
    for path in glob.glob(f"{out}/{which}.*[0-9]"):
        for key, value in rows(path):
            found.setdefault(key, []).append(value)
    return {key: statistics.median(values) for key, values in found.items()}

old, new = medians("old"), medians("new")
last = None
for key in old:
    if key not in new:
        continue
    if key[0] != last:
        print(f"\n### {key[0]}\n\n| | | other | this | this / other |\n|---|---|---:|---:|---:|")
        last = key[0]
    print(f"| {key[1]} | {key[2]} | {old[key]:g} | {new[key]:g} | {new[key] / old[key]:.2f} |")
missing = sorted(f"{a}: {b}, {c}" for a, b, c in old.keys() ^ new.keys())
if missing:
    print("\nonly in one of them: " + "; ".join(missing))
EOF
