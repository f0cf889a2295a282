"""One file a layout, named by its version."""
