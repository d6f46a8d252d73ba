"""What surrounds every page: layout, login, banner, waiting page, and choices kept in the address."""
