"""Pictures of the pages as SVG text: no library, the same bytes for the same figures."""
