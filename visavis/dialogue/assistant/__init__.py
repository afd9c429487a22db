"""The interaction assistant (app_type 7): instructions, knowledge libraries, a language model, and its tools."""
