"""Engine laws fitted from public profiles: how long prefills and decode iterations take."""
