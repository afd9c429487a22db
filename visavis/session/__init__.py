"""One running job: the conversation pipeline, the stage, the chat state and the events."""
