"""How long iterations take and what memory sequences hold: Aladdin's laws, made, fitted and refitted."""
