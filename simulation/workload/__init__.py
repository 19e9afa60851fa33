"""Where demand comes from: request traces and load series on disk, or a seeded synthesiser."""
