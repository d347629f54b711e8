"""Other tools' analyses of rain, each in its own environment, on the folds of our own study."""
