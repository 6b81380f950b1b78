"""The mini world: procedural pictures whose content is known (docs/design.md, "The mini world")."""
