"""Records of a JSON document, from a file or behind an address, on one page or many; 1C's OData among them."""
