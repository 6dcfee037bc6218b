"""Tables: the formats that hold one (CSV, Excel), and rows under a header to entries."""
