"""Floor 3: cameras, triggering, pairing, recording, and the virtual rig."""
