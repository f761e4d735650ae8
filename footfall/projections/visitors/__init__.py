"""The projection `visitors`: how many different people viewed, by target and day."""
