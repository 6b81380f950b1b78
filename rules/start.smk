"""Before and after a run: locks and jobs that a killed run left, what is missing. Only functions here."""

import json
import platform
from functools import partial

from hlf import orphans

# Snakemake's lock outlives a killed run and would refuse the same command; it says nothing of who holds it. So each run
# notes its process, and locks are removed when all noted processes are of this machine and gone (docs/design.md, "Resume").
HOLDERS = Path(".snakemake/hlf_holders")
SENT = Path(".snakemake/hlf_slurm")  # stands where a run has sent jobs to Slurm
NOTED = Path(".snakemake/hlf_sent")  # jobs of other schedulers, by profiles/generic


def this_process():
    """Identity of the running Snakemake: machine, process number and its start time."""
    import psutil

    process = psutil.Process()
    return {
        "host": platform.node(),
        "pid": process.pid,
        "started": process.create_time(),
    }


def lives(holder):
    """Whether a noted process is running; None for one of another machine, which cannot be asked."""
    import psutil

    process = json.loads(holder.read_text(encoding="utf8"))
    if process["host"] != platform.node():
        return None
    try:
        return psutil.Process(process["pid"]).create_time() == process["started"]
    except psutil.NoSuchProcess:
        return False


def remove_stale_lock():
    """Remove the locks of killed runs of this machine; they stay while a run is alive, or may be on another machine."""
    locks = list(Path(".snakemake/locks").glob("*.lock"))
    holders = {path: lives(path) for path in HOLDERS.glob("*.json")}
    if not locks or holders and set(holders.values()) == {False}:
        # without a lock, no run is going on anywhere
        for path in [*locks, *(path for path, alive in holders.items() if not alive)]:
            path.unlink(missing_ok=True)


# the jobs of a cluster run beside the process that holds the lock
if workflow.is_main_process:
    remove_stale_lock()


def refuse_second_writers():
    """Refuse to start while a cluster still works on jobs of a killed run; a run that sends none asks nothing.

    Nor does one beside a living run of this machine: its jobs are no orphans, and its lock keeps others from their files.
    """
    executor = workflow.executor_plugin.name
    if executor == "slurm":
        SENT.touch()
    if any(map(lives, HOLDERS.glob("*.json"))):
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
    HOLDERS.mkdir(exist_ok=True)
    me = this_process()
    holder = HOLDERS / f"{me['host']}-{me['pid']}.json"
    holder.write_text(json.dumps(me), encoding="utf8")


def refuse_unfinished_release(dag):
    """Refuse to release a run that is not finished or out of date: somebody should look at its report first."""
    names = [job.rule.name for job in dag.needrun_jobs() if not job.is_norun]
    others = sorted({name for name in names if not name.startswith("release_")})
    if others and len(others) < len(set(names)):
        left = len([name for name in names if name in others])
        raise WorkflowError(
            f"run '{config['run']}' is not finished, {left} jobs are left ({', '.join(others)}), so nothing was "
            "released: run `snakemake all`, read the report, then `snakemake release`"
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


def keys_to_run(dag):
    """Keys of the jobs that would run, as JSON."""
    jobs = [job for job in dag.needrun_jobs() if not job.is_norun]
    return [str(job.params.get("key", "")) for job in jobs]


def check_before_start(dag):
    """Refuse to start when a job that would run lacks its weights or its model, or has others than at their first use."""
    texts = keys_to_run(dag)
    changed = any('"wrong: ' in text for text in texts)
    found = sorted(
        {
            sentence
            for text in texts
            if changed or '"missing: ' in text
            for sentence in problem_parts(text)
        }
    )
    if found:
        what = "missing or has changed" if changed else "missing"
        raise WorkflowError(
            f"something is {what}, nothing was started:\n  " + "\n  ".join(found)
        )


def problem_parts(key_text):
    """Sentences on what a rule's key says is missing or wrong."""
    zoo, folder = config["zoo"]["use"], config["zoo"][config["zoo"]["use"]]
    for name, value in json.loads(key_text).items():
        kind, _, reason = str(value).partition(": ")
        if kind not in ("missing", "wrong"):
            continue
        what = name.removeprefix("weights.")
        known = ENTRIES.get((zoo, what)) if name.startswith("weights.") else None
        where = (
            f"; source: {known.source}, licence {known.licence}; put it below {folder}{get_advice(zoo, what)}"
            if known and kind == "missing"
            else ""
        )
        yield f"{what}: {reason}{where}"


def note_first_use(dag):
    """Record the official files that jobs will read, where that was not done yet; later runs refuse others."""
    if config["zoo"]["use"] != "official":
        return
    names = {
        name.removeprefix("weights.")
        for text in keys_to_run(dag)
        if '"weights.' in text
        for name in json.loads(text)
        if name.startswith("weights.")
    }
    try:
        first_use.note(ROOT / config["zoo"]["official"], sorted(names), HASHES)
    except HlfError as error:
        raise WorkflowError(str(error)) from None
