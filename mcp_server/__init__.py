"""The server for assistants: five read-only tools over what is published, by the Model Context Protocol."""
