"""What Alice sends, and what of it is private: sources, their labels, where they are found."""
