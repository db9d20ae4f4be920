"""What a user asks for, from start to end: generate, export, status. Only this may import Ray."""
