"""Two-stage training of DYffusion, resumable and within a time budget; needs numpy, torch and safetensors alone."""
