"""Development tools, imported by no other package."""
