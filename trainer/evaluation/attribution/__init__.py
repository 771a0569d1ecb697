"""How many copies attribution finds, where it says they are from, how often it is wrong, and its peers."""
