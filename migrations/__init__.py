"""Changes the store's tables step by step, safely while the previous release still runs."""
