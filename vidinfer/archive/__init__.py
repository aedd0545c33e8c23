"""An archive: thousands of sources, looked over before a run and known by their content."""
