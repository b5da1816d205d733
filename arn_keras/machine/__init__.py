"""What lies outside a running program: files, folders, strangers' models, other processes."""
