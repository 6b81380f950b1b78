"""Where a running study keeps its state: tables, and transactions that are safe against crashes and crowds."""

from hlf.study.running.storage.engine import Storage, TryAgain, open_storage

__all__ = ["Storage", "TryAgain", "open_storage"]
