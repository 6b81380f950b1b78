"""Before and after a run: locks and jobs that a killed run left, what is missing. Only functions here."""

from functools import partial

from hlf.start import failures, holders, missing, orphans

HOLDERS = Path(".snakemake/hlf_holders")  # processes that work here
SENT = Path(".snakemake/hlf_slurm")  # stands where a run has sent jobs to Slurm
NOTED = Path(".snakemake/hlf_sent")  # jobs of other schedulers, by profiles/generic


# the jobs of a cluster run beside the process that holds the lock
if workflow.is_main_process:
    holders.remove_stale(Path(".snakemake/locks").glob("*.lock"), HOLDERS)


def refuse_second_writers():
    """Refuse to start while a cluster still works on jobs of a killed run; a run that sends none asks nothing.

    Nor does one beside a living run of this machine: its jobs are no orphans, and its lock keeps others from their files.
    """
    executor = workflow.executor_plugin.name
    if executor == "slurm":
        SENT.touch()
    if any(map(holders.lives, HOLDERS.glob("*.json"))):
        return
    folder, settings = Path.cwd(), workflow.executor_settings
    try:
        if SENT.exists():
            orphans.refuse(folder, partial(orphans.in_slurm, folder), "scancel")
        if noted := orphans.noted(NOTED):
            asking = executor == "cluster-generic" and settings.status_cmd or ""
            look = partial(orphans.asked, noted, asking)
            orphans.refuse(folder, look, settings.cancel_cmd if asking else "")
    except HlfError as error:
        raise WorkflowError(str(error)) from None


def before_start(dag):
    """Refuse to start when something needed is missing or a killed run's jobs go on; else note who runs."""
    check_before_start(dag)
    refuse_unfinished_release(dag)
    refuse_second_writers()
    note_first_use(dag)
    keep_codes()
    holders.note_process(HOLDERS)


def refuse_unfinished_release(dag):
    """Refuse to release a run that is not finished or out of date: somebody should look at its report first."""
    names = [job.rule.name for job in dag.needrun_jobs() if not job.is_norun]
    others = sorted({name for name in names if not name.startswith("release_")})
    if others and len(others) < len(set(names)):
        left = len([name for name in names if name in others])
        raise WorkflowError(
            f"run '{config['run']}' is not finished, {left} jobs are left ({', '.join(others)}), so nothing was "
            "released; run `snakemake all`, read the report, then `snakemake release`"
        )


def after_success(dag):
    """A run that made Table 2 without some of its rows fails, whatever it was asked for; `complete` does so for `all`."""
    from hlf.paper.tables import refuse_incomplete

    for job in dag.jobs:
        if job.rule.name == "table2":
            try:
                refuse_incomplete(
                    job.output.csv, ROOT / config["zoo"][config["zoo"]["use"]]
                )
            except HlfError as error:
                raise WorkflowError(str(error)) from None


def after_failure(dag):
    """Say once more why jobs failed: where others went on, it stands far above, and Snakemake's last line names no job."""
    logs = (Path(path) for job in dag.jobs for path in job.log)
    found = failures.sentences(logs, holders.this_process()["started"])
    if found:
        logger.error("failed:\n  " + "\n  ".join(found))


def keys_to_run(dag):
    """Keys of the jobs that would run, as JSON."""
    jobs = [job for job in dag.needrun_jobs() if not job.is_norun]
    return [str(job.params.get("key", "")) for job in jobs]


def check_before_start(dag):
    """Refuse to start when a job that would run lacks its weights or its model, or has others than at their first use."""
    zoo = config["zoo"]["use"]
    what, found = missing.problems(keys_to_run(dag), zoo, config["zoo"][zoo])
    if found:
        raise WorkflowError(
            f"something is {what}, nothing was started:\n  " + "\n  ".join(found)
        )


def note_first_use(dag):
    """Record the official files that jobs will read, where that was not done yet; later runs refuse others."""
    if config["zoo"]["use"] != "official":
        return
    try:
        first_use.note(
            ROOT / config["zoo"]["official"],
            missing.entries_in(keys_to_run(dag)),
            HASHES,
        )
    except HlfError as error:
        raise WorkflowError(str(error)) from None
