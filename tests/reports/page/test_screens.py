from markupsafe import Markup, escape

from modeldyno.reports.page.screens import HALF, NARROW, Size, column_on_screens, on_screens


def test_a_drawing_is_made_for_wide_and_for_narrow_screens() -> None:
    asked: list[tuple[Size, str]] = []

    def draw(*, width: int, height: int, class_: str) -> Markup:
        asked.append((Size(width, height), class_))
        return Markup("<svg></svg>")

    assert Markup("<svg></svg><svg></svg>") == on_screens(draw, Size(1040, 280))
    assert [(Size(1040, 280), "chart wide"), (NARROW, "chart narrow")] == asked


def test_a_column_decides_on_its_height_itself() -> None:
    def draw(*, width: int, class_: str) -> Markup:
        return escape(f"{width} {class_};")

    assert f"{HALF.width} chart wide;{NARROW.width} chart narrow;" == column_on_screens(draw)
