"""Small chaotic models on which assimilation methods are compared with published scores."""
