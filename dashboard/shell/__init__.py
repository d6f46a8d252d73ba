"""Everything around the views: layout, login, banner, first progress, choices in the address."""
