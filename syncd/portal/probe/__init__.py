"""Asks a portal how it behaves: experiments in a scratch section, and the facts that follow from them."""
