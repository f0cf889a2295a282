"""Strategy files: read safely, with positions; what the author wrote, as data. Knows no chain."""
