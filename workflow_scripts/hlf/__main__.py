"""`python -m hlf`: the command `hlf` where its script is not on the path."""

import sys

from hlf.cli import main

sys.exit(main())
