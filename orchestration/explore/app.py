"""The script that Streamlit runs for each session: which pages there are.

What belongs here: assembly. What doesn't: what is on a page (``screens``), and how the server is started (``serving``).
"""

from __future__ import annotations

import streamlit as st

from orchestration.explore import showing
from orchestration.explore.address import page
from orchestration.explore.frame import NAMES, menu

_BY_CLICK = {"group": "In-kind group", "finding": "Finding", "source": "Source row"}


def show() -> None:
    """Run the page that the address names."""
    st.set_page_config(page_title="Ringfence", layout="wide")
    titles = {**{name: title for name, (title, _) in NAMES.items()}, **_BY_CLICK}
    chosen = st.navigation(
        [
            st.Page(page(name), title=f"{title} · Ringfence", url_path=name, default=name == "headline")
            for name, title in titles.items()
        ],
        position="hidden",
    )
    showing.style()
    menu()
    chosen.run()


if __name__ == "__main__":
    show()
