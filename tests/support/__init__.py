"""Worlds that tests stand in: clouds, engines, crashes."""
