"""The evidence room: runs what the pages of docs/evidence/ rest on, judges claims, and writes the pages."""
