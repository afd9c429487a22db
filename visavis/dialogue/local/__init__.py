"""A language model on this machine: llama.cpp's OpenAI-compatible server in a process of its own (docs/local-model.md)."""
