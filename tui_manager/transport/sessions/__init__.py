"""The streams of the agents, from the first message to the end. They implement TaskDispatcher."""
