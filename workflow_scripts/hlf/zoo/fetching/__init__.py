"""Bringing assets to their places: from publishers, mirrors, the model hub or a local folder."""
