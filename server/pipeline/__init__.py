"""The records' way: from lines to records, over the bus, into PostgreSQL and onto screens."""
