#!/usr/bin/env bash
# Formatting and documentation: every file as swift-format lays it out, every public name documented.
set -euo pipefail
cd "$(dirname "$0")/.."
find Package.swift Sources Tests -name '*.swift' ! -name '*.pb.swift' -print0 \
    | xargs -0 swift format lint --strict --parallel
# Imports against the rows of Package.swift, switches over kinds, names that are shared, private words.
scripts/lint_sources.py
# Every line of code that an article shows stands in the sources, spaces at its ends aside.
article=Sources/Diffusion/Diffusion.docc/OneAlgebra.md
sources=$(mktemp)
trap 'rm -f "$sources"' EXIT
find Sources/Diffusion -name '*.swift' -exec sed 's/^ *//' {} + > "$sources"
{ awk '/^```/ { inside = ! inside; next } inside' "$article"
  sed -nE 's/^\|.*\| `(.*)` \|$/\1/p' "$article"; } | sed 's/^ *//' | while IFS= read -r line; do
    grep -qxF -- "$line" "$sources" || { echo "lint: $article shows a line that is not in the sources: $line" >&2; exit 1; }
done
# diffusers' schedulers are known to one room, and to the pipelines that open folders.
if grep -rnE "scheduler_config|SchedulerConfiguration" Sources/Training Sources/Networks Sources/Diffusion Sources/langevin; then
    echo "lint: scheduler_config.json is read in Sources/Diffusers alone" >&2
    exit 1
fi
# Foundation takes a tilde in front of a path for a home; paths are taken as they stand.
if grep -rn "fileURLWithPath" Sources --include='*.swift' | grep -vE "^Sources/(Storage/URL\+File|langevin/NewPackage)\.swift:"; then
    echo "lint: write URL(file: path)" >&2
    exit 1
fi
# Every kind of bad input has a row, and every row a test in the file that it names, under the row's number.
table=docs/Reliability.md
for row in A{1..47} B{1..12} C{1..7} D{1..14} E{1..13} F{1..18} H{1..12}; do
    line=$(grep -E "^\| $row \|" "$table") || { echo "lint: $table has no row $row" >&2; exit 1; }
    read -r file name < <(sed -nE 's/^.*\| `([^`]*)` `([^`]*)` \|.*$/\1 \2/p' <<< "$line")
    grep -qw -- "$row" "Tests/$file.swift" && grep -q "func $name(" "Tests/$file.swift" \
        || { echo "lint: row $row of $table has no test $name in Tests/$file.swift" >&2; exit 1; }
done
echo "lint: every file is in order" >&2
