"""Archives: thousands of files, planned, labelled by several processes, restartable at any instant, proven at the end."""
