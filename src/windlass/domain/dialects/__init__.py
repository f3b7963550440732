"""What other tools write into Compose files, put into Compose's own words before anything else reads them."""
