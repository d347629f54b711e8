"""`python -m kaiseki` is the command `kaiseki`."""

import sys

from kaiseki.cli import main

sys.exit(main())
