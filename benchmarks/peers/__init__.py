"""Peers beside Soulfra: the same ring of members in strict lockstep, each framework at its fair best.

Members 0 … N-1, each a process of its own. In every control tick a member hears the one event that its predecessor said a
control tick ago, checks and counts it, and says one to its successor; nothing else. `rings.Ear` is that member's ear.
`apart` measures each of them in a process of its own. `python -m benchmarks.peers.helics_ring --members 20` runs one peer.
"""
