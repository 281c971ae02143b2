"""What prepare alone looks at, before anything expensive starts."""
