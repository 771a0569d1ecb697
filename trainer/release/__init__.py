"""Turns a checkpoint into a folder that can be published: weights, cards, licence, hashes."""
