"""What surrounds every view: layout, login, banner, progress of the first data, and choices kept in the address."""
