"""Archives: thousands of files, labelled by several processes, restartable at any instant, proven at the end."""
