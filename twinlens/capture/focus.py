def focus_score(pixels):
    return 0.0


def saturated_fraction(pixels, *, bit_depth):
    return 0.0
