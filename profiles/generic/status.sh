#!/bin/sh
# One word on one job, for Snakemake: running, success or failed. For PBS Pro, which tells of ended jobs with -x.
told=$(qstat -x -f "$1" 2>/dev/null)
code=$?
case "$code $told" in
  "0 "*"job_state = F"*"Exit_status = 0"*) word=success ;;
  "0 "*"job_state = F"*) word=failed ;;
  153*) word=failed ;; # PBS knows no such job: its end was not seen
  *) word=running ;;   # also when PBS does not answer: a job that goes on must not be sent again
esac
if [ $word != running ]; then rm -f ".snakemake/hlf_sent/$1"; fi
echo $word
