import sys


class Palette:
    modules = sys.modules


def hue(red, green, blue):
    import colorsys

    return colorsys.rgb_to_hls(red, green, blue)[0]
