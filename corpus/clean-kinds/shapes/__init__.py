def area(width, height):
    """The area of a rectangle.

    >>> area(2, 3)
    6
    """
    return width * height
