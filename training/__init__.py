"""Scripts that draw the training scenes, train the bundled model and make the sample clip."""
