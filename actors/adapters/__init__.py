"""Foreign models behind the contract of a member. They bring generators and code of their own, so they are no core."""
