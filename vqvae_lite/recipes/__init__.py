"""What a run is made from, by name: data, model and training."""
