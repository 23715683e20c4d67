"""The next question: which character, not shown by the photo, separates the taxa that cannot be excluded."""
