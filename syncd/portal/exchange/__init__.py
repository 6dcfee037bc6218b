"""From jobs to requests and back: the queue, the batch that is being filled, the decisions, and their driver."""
