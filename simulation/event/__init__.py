"""The event engine: single requests, one virtual-time batch per replica, compiled."""
