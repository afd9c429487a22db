"""Weather and web search for an assistant: a tool each, behind one interface, whoever provides the service (docs/knowledge.md)."""
