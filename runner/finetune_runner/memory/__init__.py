"""How much memory a tuning pass takes, known before it asks for any. Pure; imports no torch."""
