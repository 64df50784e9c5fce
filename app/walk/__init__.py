"""The parts of the Sampler page: what it asks of the engine, and how it shows what comes back."""
