"""Ground-truth images of a run: procedural scenes or a folder of photographs."""
