"""`python3 hack/demo preflight` checks the machine with any Python; `.venv/bin/python hack/demo` tells the story."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

if sys.argv[1:] == ["preflight"]:
    from demo.preflight import main
else:
    from demo.story import main

sys.exit(main())
