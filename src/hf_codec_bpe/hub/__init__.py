"""Publishing on the Hub: cards that tell the truth, and one commit for everything."""
