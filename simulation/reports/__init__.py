"""What an experiment found, written down: one JSON document and one page for people."""
