"""Reports: from records and study definitions to one HTML file. Imports no trainer and no torch."""
