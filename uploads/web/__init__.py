"""What clients see: uploads, the list of files, downloads; as an API and as pages."""
