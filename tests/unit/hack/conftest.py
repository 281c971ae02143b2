"""hack/ has packages of its own: cluster, images, demo. Last on the path, since hack/venv.py is there too."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[3] / "hack"))
