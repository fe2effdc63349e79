"""Who performs a flow's effects: clients built at first use, shared by endpoint and loop."""
