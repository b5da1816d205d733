"""Pictures of saved rows."""
