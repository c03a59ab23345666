"""Sends requests to any OpenAI-compatible model and keeps every answer in a ledger; independent of dialogues."""
