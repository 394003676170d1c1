"""What every member and the master clock agree on: events, grants, order, draws, digests."""
