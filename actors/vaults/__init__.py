"""What must outlive the processes: the journal of outside inputs, the epochs that fence old clocks, keyframes."""
