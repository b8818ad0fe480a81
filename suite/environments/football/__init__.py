"""Google Research Football's academy scenarios, as CADP's release plays them."""
