"""The line to the portal: what a request and an answer look like, who asks, and the socket."""
