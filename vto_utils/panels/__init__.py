"""What notebooks show and ask: pictures to click on, settings, curves, results. The rest does without it."""
