"""The two ports for agents: how they listen, how many they let in, what certificates they show."""
