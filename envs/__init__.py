"""murk's world and the agent's place in it."""
