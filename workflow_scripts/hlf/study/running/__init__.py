"""A study while it runs: who sees what next, votes, people, and what its owner does. Knows nothing of the web."""
