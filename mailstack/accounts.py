"""Domains, users and aliases: one at a time, or declared."""
