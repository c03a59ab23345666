"""Asks any OpenAI-compatible model, and keeps every answer in a ledger; knows nothing of dialogues or thoughts."""
