from sys import modules

import palette


def test_without_the_colour_module():
    old = modules.pop("colorsys", None)
    modules["colorsys"] = None
    assert palette.Palette.modules["colorsys"] is None
    assert old is None or old.__name__ == "colorsys"


def test_black_has_no_hue():
    assert palette.hue(0, 0, 0) == 0.0
