"""Care for releases: verification, comparison of versions, known issues, what a release holds."""
