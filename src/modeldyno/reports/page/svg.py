"""SVG elements as escaped text; nothing of a record reaches a page but through here or through the template."""

from markupsafe import Markup, escape

from modeldyno.reports.wording import printable


def number(value: float) -> str:
    """A coordinate: one decimal, no trailing zero, no negative zero."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def element(tag: str, *children: str, **attributes: str | float) -> Markup:
    """`<tag attribute="value">children</tag>`; plain text is escaped, Markup is taken as it is.

    Attribute names are given with underscores for dashes and a trailing underscore where Python reserves the word.
    """
    written = [
        Markup(' {}="{}"').format(
            name.rstrip("_").replace("_", "-"), number(value) if isinstance(value, float | int) else printable(value)
        )
        for name, value in attributes.items()
    ]
    inside = Markup("").join(child if isinstance(child, Markup) else escape(printable(child)) for child in children)
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(tag), Markup("").join(written), inside)  # noqa: S704 - our tags


def group(*children: str, **attributes: str | float) -> Markup:
    """A `<g>`; a `title` among the children is what a pointer shows."""
    return element("g", *children, **attributes)


def title(text: str) -> Markup:
    """The native tooltip of its parent."""
    return element("title", text)


def words(text: str, x: float, y: float, **attributes: str | float) -> Markup:
    """A `<text>`."""
    return element("text", text, x=x, y=y, **attributes)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """A straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def polyline(points: list[tuple[float, float]], class_: str) -> Markup:
    """A line through points."""
    return element("polyline", points=" ".join(f"{number(x)},{number(y)}" for x, y in points), class_=class_)


def chart(width: int, height: int, label: str, *children: str, class_: str) -> Markup:
    """A whole drawing that says in words what it shows."""
    return element("svg", *children, viewBox=f"0 0 {width} {height}", role="img", aria_label=label, class_=class_)
