"""Scene scripts: they run inside the bake environment (``bpy``, numpy < 2) and are never imported by the server."""
