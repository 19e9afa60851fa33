"""How few GPUs keep a region's promises, by who places requests: Aladdin's question to the event engine."""
