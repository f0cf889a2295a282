"""Elements of HTML and SVG as text; everything that is not markup of ours is escaped."""

from __future__ import annotations

from html import escape


class Markup(str):
    """Text that is markup already. Only ``tag`` and ``join`` make it."""

    __slots__ = ()


Content = str | int | Markup | None
"""A child of an element: markup as it is, anything else as escaped text, None as nothing."""


def tag(element: str, /, *children: Content, **attributes: str | int | float | None) -> Markup:
    """Return one element.

    A trailing underscore of an attribute is dropped (``class_``), others become hyphens; an
    attribute that is None is left out. Figures are rounded to hundredths.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_figure(value), quote=True)}"'
        for key, value in attributes.items()
        if value is not None
    )
    inside = join(*children)
    if not inside and element in _EMPTY:
        return Markup(f"<{element}{written}/>")
    return Markup(f"<{element}{written}>{inside}</{element}>")


def join(*children: Content) -> Markup:
    """Return the children one after the other."""
    return Markup(
        "".join(
            child if isinstance(child, Markup) else escape(str(child), quote=False)
            for child in children
            if child is not None
        )
    )


def trusted(text: str) -> Markup:
    """Return a text of ours (a style sheet) as markup. Never for anything that was read."""
    return Markup(text)


def _figure(value: str | float) -> str:
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return str(value)


_EMPTY = frozenset({"line", "path", "polyline", "rect", "circle", "meta", "br", "use"})
