#!/bin/sh
# Sends one job and prints its number, which is noted until status.sh sees the end: jobs of a killed run are found by it.
# Arguments: rule, cores, MB, minutes, GPUs, script. For PBS Pro; other schedulers: docs/cluster.md.
mkdir -p .snakemake/generic_logs .snakemake/hlf_sent
number=$(qsub -V -j oe -o .snakemake/generic_logs/ -N "$1" -l "select=1:ncpus=$2:mem=$3mb:ngpus=$5" \
  -l "walltime=$4:00" "$6") || exit 1
echo "$1" > ".snakemake/hlf_sent/$number"
echo "$number"
