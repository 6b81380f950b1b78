"""What the steps of the workflow cost: as measured, projected to a configuration, and as a run spent."""
