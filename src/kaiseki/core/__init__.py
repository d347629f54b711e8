"""The shared vocabulary: variables, times, constants, the experiment, errors, progress, plug-ins."""
