"""A drawing twice, for wide and for narrow screens: the style sheet shows one, so that its words stay readable."""

from typing import NamedTuple, Protocol

from markupsafe import Markup


class Size(NamedTuple):
    """Of a drawing, in CSS pixels."""

    width: int
    height: int


HALF = Size(510, 340)
"""Two stand side by side."""
WHOLE = Size(1040, 430)
NARROW = Size(352, 300)
_WIDE_CLASS, _NARROW_CLASS = "chart wide", "chart narrow"


class Drawing(Protocol):
    """Draws itself in any size."""

    def __call__(self, *, width: int, height: int, class_: str) -> Markup:
        """The drawing; `class_` is what the style sheet knows it by."""
        ...


class Column(Protocol):
    """Draws itself in any width, and is as high as that makes it."""

    def __call__(self, *, width: int, class_: str) -> Markup:
        """The drawing; `class_` is what the style sheet knows it by."""
        ...


def on_screens(draw: Drawing, wide: Size) -> Markup:
    """A drawing in the size for wide screens that is given, and in that for narrow ones."""
    return draw(width=wide.width, height=wide.height, class_=_WIDE_CLASS) + draw(
        width=NARROW.width, height=NARROW.height, class_=_NARROW_CLASS
    )


def column_on_screens(draw: Column) -> Markup:
    """A drawing that decides on its height: half as wide as a wide screen, and as wide as a narrow one."""
    return draw(width=HALF.width, class_=_WIDE_CLASS) + draw(width=NARROW.width, class_=_NARROW_CLASS)
