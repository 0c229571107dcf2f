def repair_segments(folder):
    pass
