"""Where launcher, pages, documents and theme lie: beside the package in a checkout, inside it in a wheel."""

from pathlib import Path
from typing import Final

PACKAGE: Final = Path(__file__).resolve().parents[1]
INSTALLED: Final = PACKAGE / "dashboard"
"""Made by the wheel alone (`setup.py`). Not the package itself: pages beside `main.py` Streamlit would find."""
ROOT: Final = INSTALLED if INSTALLED.is_dir() else PACKAGE.parent
APP: Final = ROOT / "app.py"
PAGES: Final = ROOT / "pages"
DOCUMENTS: Final = ROOT / "docs"
THEME: Final = ROOT / ".streamlit" / "config.toml"
COMMAND: Final = "dpdash" if ROOT == INSTALLED else "python -m dpdash"
"""What a person types."""
