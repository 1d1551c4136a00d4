"""What a page shows stands in its address, so that it can be sent; links carry on what still holds.

What belongs here: reading and writing the query of the address, and going to another page. What doesn't: pages.

A control's value comes from the address when the page is opened or was come to by a link, and from its user's hand
otherwise; after each run the address says what is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import streamlit as st

PAGES = Path(__file__).parent / "screens"
_CARRIED = "date"

Parameters = Mapping[str, Any]


def page(name: str) -> str:
    """The script of a page."""
    return str(PAGES / f"{name}.py")


def parameters(values: Parameters) -> dict[str, str]:
    """The query of an address: texts, without what is nothing."""
    return {name: str(value) for name, value in values.items() if value not in (None, "")}


def stated(name: str) -> str:
    """What the address says of a matter, or nothing."""
    return st.query_params.get(name, "")


def stated_day(name: str, days: tuple[date, date], default: date) -> date:
    """The day that the address names, if it was published."""
    try:
        day = date.fromisoformat(stated(name))
    except ValueError:
        return default
    return day if days[0] <= day <= days[1] else default


def state(name: str, value: Any) -> None:
    """Let the address say so; nothing is left out."""
    text = parameters({name: value}).get(name)
    if text is None:
        if name in st.query_params:
            del st.query_params[name]
    elif st.query_params.get(name) != text:
        st.query_params[name] = text


def followed(
    key: str,
    name: str,
    from_address: Callable[[], Any],
    control: Callable[[], Any],
    in_address: Callable[[Any], Any] = lambda value: value,
) -> Any:
    """The value of a control that stands for ``name`` in the address; ``key`` is the control's own."""
    remembered = f"{key} in the address"
    if key not in st.session_state or st.session_state.get(remembered) != stated(name):
        st.session_state[key] = from_address()
    value = control()
    state(name, in_address(value))
    st.session_state[remembered] = stated(name)
    return value


def day_control(label: str, days: tuple[date, date], *, name: str = _CARRIED, default: date | None = None) -> date:
    """A day among those published."""
    key = f"day {name}"
    chosen: date = followed(
        key,
        name,
        lambda: stated_day(name, days, default or days[1]),
        lambda: st.date_input(
            label, min_value=days[0], max_value=days[1], key=key, format="YYYY-MM-DD", required=True, width=260
        ),
    )
    return chosen


def choice_control(label: str, name: str, options: list[str], every: str) -> str:
    """One of some values, or every one (an empty text)."""
    key = f"choice {name}"
    known = ["", *options]

    def control() -> Any:
        return st.selectbox(label, known, key=key, format_func=lambda value: value or every)

    chosen: str = followed(key, name, lambda: stated(name) if stated(name) in known else "", control)
    return chosen


def text_control(label: str, name: str, placeholder: str) -> str:
    """A text to look for."""
    key = f"text {name}"
    chosen: str = followed(
        key, name, lambda: stated(name), lambda: st.text_input(label, key=key, placeholder=placeholder, max_chars=200)
    )
    return chosen.strip()


def toggle_control(label: str, name: str, word: str) -> bool:
    """A switch; when it is on, the address says ``word`` of the matter."""
    key = f"toggle {name}"
    chosen: bool = followed(
        key,
        name,
        lambda: stated(name) == word,
        lambda: st.toggle(label, key=key),
        lambda is_on: word if is_on else "",
    )
    return chosen


def go(name: str, values: Parameters) -> None:
    """Open another page."""
    st.switch_page(page(name), query_params=parameters({_CARRIED: stated(_CARRIED), **values}))


def link(label: str, name: str, values: Parameters | None = None, *, icon: str | None = None) -> None:
    """A link to another page; its label is ours, never a name from outside."""
    st.page_link(
        page(name), label=label, icon=icon, query_params=parameters({_CARRIED: stated(_CARRIED), **(values or {})})
    )
