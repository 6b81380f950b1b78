"""What stands in the way of a run, looked for before its first job: other writers of its folder, missing weights."""
