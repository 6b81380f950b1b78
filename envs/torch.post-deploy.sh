#!/bin/sh
# basicsr declares packages that collide with others here (README, "Why basicsr is installed on its own")
set -eu
pip install --no-deps --no-build-isolation basicsr==1.4.2
