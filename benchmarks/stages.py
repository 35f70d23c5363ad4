"""Names of what is measured, apart from all else: the process that measures imports no more."""

OPEN, ZOOM = "open", "zoom"
VIEWS = ("root", "depth 1", "depth 2")
STAGES = (OPEN, *VIEWS, ZOOM)
"""What is measured, in this order, by one and the same opened reader."""
