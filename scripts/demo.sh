#!/usr/bin/env bash
# Draws emoji from prompts with the model that comes with the project, then trains a class-conditional diffusion model on
# 1,797 handwritten digits and draws new ones.
# Leaves demo/prompts.png, demo/digits.png, demo/trajectory.png and demo/loss.png.
set -euo pipefail
cd "$(dirname "$0")/.."
langevin=.build/release/langevin
start=$(date +%s)

rm -rf demo
mkdir demo
"$langevin" generate --prompts models/prompts.txt --seed 1 -o demo/prompts.png
echo "demo/prompts.png     a picture of each line of models/prompts.txt"
"$langevin" train recipes/digits.yaml --out demo/run
"$langevin" sample demo/run --class all --count 100 -o demo/digits.png
"$langevin" sample demo/run --class all --count 10 --seed 1000 --trajectory demo/trajectory.png -o demo/trajectory-end.png
rm demo/trajectory-end.png
cp demo/run/loss.png demo/loss.png
echo
"$langevin" evaluate demo/run --against digits --count 1000
echo
echo "demo/digits.png      new digits, a row for each class"
echo "demo/trajectory.png  from noise to digit"
echo "demo/loss.png        the loss over steps"
echo "$(( $(date +%s) - start )) seconds"
