"""What is known about each photo: decoded, seen by the engine, its leaf measured, in the order of the photos."""
