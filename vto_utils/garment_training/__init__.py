"""Training and measuring the garment reader."""
