"""Stage sr: low-resolution pictures in, four times larger pictures out."""
